"""An observer that remembers all that it was told."""

from __future__ import annotations

from typing import Any

from penstock.engine.observer import Observer


class Watcher(Observer):
    """Keeps what it was told as tuples, the method's name first."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def of(self, *names: str) -> list[tuple[Any, ...]]:
        return [told for told in self.told if told[0] in names]

    def names(self) -> list[str]:
        return [told[0] for told in self.told]


def _remember(name: str) -> Any:
    def tell(self: Watcher, *facts: Any) -> None:
        self.told.append((name, *facts))

    return tell


for _name in vars(Observer):
    if not _name.startswith("_") and _name not in ("hears", "traceparent"):
        setattr(Watcher, _name, _remember(_name))
