"""Locks of runs in the store itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cli.locks.desk import Asked
from penstock.cli.runs.store_desk import StoreRuns
from penstock.core.locks import fold_locks
from penstock.core.store import RunQuery

if TYPE_CHECKING:
    from penstock.core.locks import Decision, LockRecord
    from penstock.core.payload import Payload
    from penstock.core.store import Store
    from penstock.engine.runtime import Runtime


class StoreLocks:
    """The locks of a store that is open. runtime: over the same store, to submit something."""

    def __init__(self, store: Store, runtime: Runtime | None = None) -> None:
        self._store = store
        self._runtime = runtime
        self.runs = StoreRuns(store, runtime)

    async def inbox(self) -> list[Asked]:
        rows = await self._store.runs(RunQuery(locked=True))
        return [
            Asked(row.fid, row.flow, lock)
            for row in rows
            for lock in await self.locks(row.fid)
            if lock.open
        ]

    async def locks(self, fid: str) -> list[LockRecord]:
        return list(fold_locks(await self._store.events(fid)).values())

    async def submit(self, fid: str, lid: str, value: Payload, *, id: str) -> Decision:  # noqa: A002
        assert self._runtime is not None
        return await self._runtime.submit(fid, lid, value, id=id)

    async def is_left(self, fid: str) -> bool:
        row = await self._store.run(fid)
        if row is None or row.state.terminal:
            return False
        return row.owner == self._store.owner or not await self._store.alive(row.owner)
