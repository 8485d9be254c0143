"""The desk: where specs are written, deleted and looked at, for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from penstock.cli.documents.opening import opened

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.documents.reported import Told
    from penstock.document.reader import Examination
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.stored import StoredSpec


class SpecDesk(Protocol):
    """What can be done with specs, wherever they are kept.

    namespace: empty for the usual one. Methods raise DocumentError with every problem,
    EntryNotFound with all that is not there, and StoreConflict.
    """

    async def apply(
        self, documents: Sequence[Examination], *, namespace: str, prune: bool, dry_run: bool
    ) -> list[Change]: ...

    async def withdraw(self, documents: Sequence[Examination], *, namespace: str) -> list[Change]:
        """Delete the specs that these documents say, as far as they are there."""
        ...

    async def delete(self, names: Sequence[str] | None, *, namespace: str) -> list[Change]:
        """Delete what has these names or ids, or everything for None."""
        ...

    async def read(self, names: Sequence[str], *, namespace: str | None) -> list[StoredSpec]:
        """What has these names or ids, or everything; None: of all namespaces."""
        ...

    async def told(self, specs: Sequence[StoredSpec]) -> Mapping[str, Told]:
        """The status of each by its id, and what would keep it from being active."""
        ...

    async def doubtful(self, changes: Sequence[Change]) -> Mapping[str, str]:
        """Which of what was written cannot be active as things are, by id, and why."""
        ...


@asynccontextmanager
async def opened_specs(app: App, *, create: bool = False) -> AsyncIterator[SpecDesk]:
    """The desk that the settings name: that of a host, or that of the store.

    create: make a store that is not there yet.
    """
    if app.host:
        from penstock.cli.documents.host_desk import HostSpecs

        async with app.client() as client:
            yield HostSpecs(client)
        return
    from penstock.cli.documents.store_desk import StoreSpecs

    async with opened(app, create=create) as shelves:
        yield StoreSpecs(app, shelves)
