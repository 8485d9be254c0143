"""Specs in the store itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.cli.documents.chosen import named
from penstock.cli.documents.reported import foretold
from penstock.cli.documents.statuses import READY, statuses
from penstock.core.catalog import Collection
from penstock.core.spec import DEFAULT_NAMESPACE
from penstock.engine.catalog.draft import Prune
from penstock.engine.catalog.filters import Filter

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.documents.opening import Opened
    from penstock.cli.documents.reported import Told
    from penstock.document.reader import Examination
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.stored import StoredSpec


class StoreSpecs:
    """The specs of a store that is open."""

    def __init__(self, app: App, shelves: Opened) -> None:
        self._app = app
        self._shelves = shelves

    async def apply(
        self, documents: Sequence[Examination], *, namespace: str, prune: bool, dry_run: bool
    ) -> list[Change]:
        how = Prune.NAMESPACE if prune else Prune.NOTHING
        return await self._shelves.specs.apply(
            documents, namespace=namespace, prune=how, dry_run=dry_run
        )

    async def withdraw(self, documents: Sequence[Examination], *, namespace: str) -> list[Change]:
        return await self._shelves.specs.withdraw(documents, namespace=namespace)

    async def delete(self, names: Sequence[str] | None, *, namespace: str) -> list[Change]:
        own = namespace or DEFAULT_NAMESPACE
        entries = await self._shelves.store.entries(Collection.SPECS, namespace=own)
        if names is not None:
            entries = named(entries, names, "specs", own)
        return await self._shelves.specs.delete([Filter(id=entry.id) for entry in entries])

    async def read(self, names: Sequence[str], *, namespace: str | None) -> list[StoredSpec]:
        return await self._shelves.specs.read(namespace=namespace, keys=names)

    async def told(self, specs: Sequence[StoredSpec]) -> Mapping[str, Told]:
        return await foretold(self._app, self._shelves, specs)

    async def doubtful(self, changes: Sequence[Change]) -> Mapping[str, str]:
        told = await statuses(self._app, self._shelves, [change.namespace for change in changes])
        return {change.id: told[change.id] for change in changes if told.get(change.id, READY) != READY}
