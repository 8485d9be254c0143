"""Specs of tests: read from text, and told in short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.document.reader import examine
from penstock.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.catalog import Entry, Write
    from penstock.document.reader import Examination
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.specs import Specs


def read(text: str, file: str = "graph.yaml") -> list[Examination]:
    return [examine(text, file=file)]


def told(changes: Sequence[Change]) -> list[str]:
    return [f"{change.action} {change.namespace}/{change.name}@{change.revision}" for change in changes]


async def names(specs: Specs, namespace: str = "default") -> list[str]:
    return [spec.name for spec in await specs.read(namespace=namespace)]


class Overtaken(MemoryStore):
    """Somebody else writes in front of the first write."""

    def __init__(self) -> None:
        super().__init__()
        self.rival: Specs | None = None

    async def write(self, writes: Sequence[Write], *, at: float) -> list[Entry]:
        rival, self.rival = self.rival, None
        if rival is not None:
            await rival.apply(read("- {kind: debug.log, name: a, message: theirs}"))
        return await super().write(writes, at=at)
