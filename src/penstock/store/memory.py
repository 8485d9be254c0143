"""The store that forgets everything at the end of the process."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import StoreError
from penstock.core.store import EVERY_RUN, RunRow, Shift
from penstock.store.audit.audited import Audited
from penstock.store.audit.memory import MemoryTrail
from penstock.store.catalogue.catalogued import Catalogued
from penstock.store.catalogue.memory import MemoryCatalogue
from penstock.store.taken import fid_taken, key_taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from penstock.core.events import Event
    from penstock.core.store import Batch, RunChange, RunQuery


class MemoryStore(Catalogued, Audited):
    """Everything in this process, for tests and for runs that nobody wants to find again.

    Events are kept as they are, not encoded. It has one owner, which lives as long as it.
    """

    url = "memory:"
    durable = False
    held = True

    def __init__(self) -> None:
        self.owner = f"memory-{secrets.token_hex(6)}"
        self._catalogue = MemoryCatalogue(owner=self.owner)
        self._trail = MemoryTrail()
        self._rows: dict[str, RunRow] = {}
        self._keys: dict[str, str] = {}  # key → fid
        self._streams: dict[str, list[Event]] = {}
        self._revisions: dict[str, dict[str, Any]] = {}
        self._words: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do: what is kept goes with the object."""

    async def commit(self, batch: Batch) -> None:
        rows = self._changed_rows(batch)
        streams = [(fid, events) for fid, events in batch.events.items() if events]
        for fid, events in streams:
            self._check_follows(fid, events, rows)
        # Nothing can fail from here on, so the batch is all or nothing.
        self._rows.update(rows)
        self._keys.update((row.key, row.fid) for row in batch.runs if row.key)
        for fid, events in streams:
            self._streams.setdefault(fid, []).extend(events)
        self._announce()

    def _changed_rows(self, batch: Batch) -> dict[str, RunRow]:
        rows: dict[str, RunRow] = {}
        keys: dict[str, str] = {}
        for row in batch.runs:
            if row.fid in self._rows or row.fid in rows:
                raise fid_taken(row.fid)
            holder = self._keys.get(row.key) or keys.get(row.key)
            if holder is not None:
                raise key_taken(row.fid, holder=holder)
            rows[row.fid] = row
            if row.key:
                keys[row.key] = row.fid
        for change in batch.changes.values():
            found = rows.get(change.fid) or self._rows.get(change.fid)
            if found is None:
                raise StoreError(f"a change of run {change.fid}, which is not there", fid=change.fid)
            rows[change.fid] = msgspec.structs.replace(found, **_fields(change))
        return rows

    def _check_follows(self, fid: str, events: list[Event], rows: dict[str, RunRow]) -> None:
        if fid not in self._rows and fid not in rows:
            raise StoreError(f"events of run {fid}, which is not there", fid=fid)
        last = len(self._streams.get(fid, ()))
        for seq, event in enumerate(events, last + 1):
            if event.seq != seq:
                raise StoreError(
                    f"event {event.seq} of run {fid} does not follow event {seq - 1}, its last",
                    fid=fid,
                    remedy="another writer executes this run; read it again",
                )

    async def events(self, fid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        stream = self._streams.get(fid, [])  # seqs are dense, so an event's place is its seq
        return stream[after : None if limit is None else after + limit]

    async def run(self, fid: str) -> RunRow | None:
        return self._read(fid) if fid in self._rows else None

    async def runs(self, query: RunQuery = EVERY_RUN) -> list[RunRow]:
        fids = sorted((fid for fid, row in self._rows.items() if query.admits(row)), reverse=True)
        return [self._read(fid) for fid in fids[: query.limit]]

    async def launched(self, key: str) -> RunRow | None:
        return self._read(self._keys[key]) if key in self._keys else None

    def _read(self, fid: str) -> RunRow:
        return msgspec.structs.replace(self._rows[fid], seq=len(self._streams.get(fid, ())))

    async def save_revision(self, digest: str, document: dict[str, Any]) -> None:
        self._revisions.setdefault(digest, document)

    async def revision(self, digest: str) -> dict[str, Any] | None:
        return self._revisions.get(digest)

    async def claim(self, fids: Sequence[str] | None = None) -> list[RunRow]:
        wanted: Iterable[str] = self._rows if fids is None else set(fids) & self._rows.keys()
        claimed = []
        for fid in sorted(wanted):
            row = self._rows[fid]
            if not row.state.terminal and row.owner != self.owner:
                self._rows[fid] = msgspec.structs.replace(row, owner=self.owner)
                claimed.append(self._read(fid))
        self._announce()  # a claimed run may have words waiting
        return claimed

    async def alive(self, owner: str) -> bool:
        return owner == self.owner

    async def hold(self) -> None:
        """Nothing to do: there is nobody else."""

    async def shifts(self) -> AsyncIterator[Shift]:
        """Nothing, ever: there is nobody else."""
        await asyncio.Event().wait()
        yield Shift.ORPHANED

    async def signal(self, fid: str, signal: str) -> None:
        row = self._rows.get(fid)
        if row is None:
            raise StoreError(f"word for run {fid}, which is not there", fid=fid)
        if not row.state.terminal:
            self._words.append((fid, signal))
            self._announce()

    async def signals(self) -> AsyncIterator[tuple[str, str]]:
        while True:
            news = self._news
            word = self._next_word()
            if word is None:
                await news.wait()
            else:
                yield word

    def _next_word(self) -> tuple[str, str] | None:
        self._words = [word for word in self._words if not self._rows[word[0]].state.terminal]
        for index, (fid, _) in enumerate(self._words):
            if self._rows[fid].owner == self.owner:
                return self._words.pop(index)
        return None

    async def changed(self, fid: str, *, after: int) -> None:
        while len(self._streams.get(fid, ())) <= after:
            await self._news.wait()

    def _announce(self) -> None:
        """Wake all who wait; who comes later waits for the next news."""
        self._news.set()
        self._news = asyncio.Event()


def _fields(change: RunChange) -> dict[str, Any]:
    named = msgspec.structs.asdict(change)
    return {name: value for name, value in named.items() if value is not msgspec.UNSET}
