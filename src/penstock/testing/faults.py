"""A store that fails on order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.store import EVERY_RUN
from penstock.store.audit.audited import Audited
from penstock.store.catalogue.catalogued import Catalogued

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Mapping, Sequence

    from penstock.core.events import Event
    from penstock.core.store import Batch, RunQuery, RunRow, Shift, Store


class FaultyStore(Catalogued, Audited):
    """Another store, of which chosen commits fail or wait. Commits count from 1.

    fail: commits that raise this error and write nothing.
    lose: commits that are written and raise this error all the same, as when the answer
    of a database is lost.
    hold: commits that wait for this event before they are written.
    """

    def __init__(
        self,
        store: Store,
        *,
        fail: Mapping[int, Exception] | None = None,
        lose: Mapping[int, Exception] | None = None,
        hold: Mapping[int, asyncio.Event] | None = None,
    ) -> None:
        self.commits = 0
        self._store = self._catalogue = self._trail = store
        self._fail = dict(fail or {})
        self._lose = dict(lose or {})
        self._hold = dict(hold or {})

    async def commit(self, batch: Batch) -> None:
        self.commits += 1
        number = self.commits
        if number in self._hold:
            await self._hold[number].wait()
        if number in self._fail:
            raise self._fail[number]
        await self._store.commit(batch)
        if number in self._lose:
            raise self._lose[number]

    # Everything else is the other store's.

    @property
    def url(self) -> str:
        return self._store.url

    @property
    def durable(self) -> bool:
        return self._store.durable

    @property
    def owner(self) -> str:
        return self._store.owner

    @property
    def held(self) -> bool:
        return self._store.held

    async def hold(self) -> None:
        await self._store.hold()

    def shifts(self) -> AsyncIterator[Shift]:
        return self._store.shifts()

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def events(self, fid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        return await self._store.events(fid, after=after, limit=limit)

    async def run(self, fid: str) -> RunRow | None:
        return await self._store.run(fid)

    async def runs(self, query: RunQuery = EVERY_RUN) -> list[RunRow]:
        return await self._store.runs(query)

    async def launched(self, key: str) -> RunRow | None:
        return await self._store.launched(key)

    async def save_revision(self, digest: str, document: dict[str, Any]) -> None:
        await self._store.save_revision(digest, document)

    async def revision(self, digest: str) -> dict[str, Any] | None:
        return await self._store.revision(digest)

    async def claim(self, fids: Sequence[str] | None = None) -> list[RunRow]:
        return await self._store.claim(fids)

    async def alive(self, owner: str) -> bool:
        return await self._store.alive(owner)

    async def signal(self, fid: str, signal: str) -> None:
        await self._store.signal(fid, signal)

    def signals(self) -> AsyncIterator[tuple[str, str]]:
        return self._store.signals()

    async def changed(self, fid: str, *, after: int) -> None:
        await self._store.changed(fid, after=after)
