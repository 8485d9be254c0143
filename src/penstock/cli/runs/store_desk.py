"""Runs in the store itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.core.spec import FlowSpec
    from penstock.core.store import RunQuery, RunRow, Store
    from penstock.engine.runtime import Runtime


class StoreRuns:
    """The runs of a store that is open. runtime: over the same store, where runs are changed."""

    def __init__(self, store: Store, runtime: Runtime | None = None) -> None:
        self._store = store
        self._runtime = runtime

    async def run(self, fid: str) -> RunRow | None:
        return await self._store.run(fid)

    async def runs(self, query: RunQuery, /) -> list[RunRow]:
        return await self._store.runs(query)

    async def events(self, fid: str) -> list[Event]:
        return await self._store.events(fid)

    async def follow(self, fid: str) -> AsyncIterator[Event]:
        after = 0
        while True:
            # No limit: a store unpacks whole commits, so each page of a large one would cost all of it.
            events = await self._store.events(fid, after=after)
            for event in events:
                after = event.seq
                yield event
                if event.terminal:
                    return
            if not events:
                await self._store.changed(fid, after=after)

    async def executed(self, row: RunRow) -> bool:
        return await self._store.alive(row.owner)

    async def graph(self, row: RunRow) -> FlowSpec | None:
        from penstock.core.spec import from_document

        document = await self._store.revision(row.revision) if row.source == "graph" else None
        return None if document is None else from_document(document)

    async def cancel(self, fid: str, reason: str) -> None:
        assert self._runtime is not None
        await self._runtime.cancel(fid, reason)
