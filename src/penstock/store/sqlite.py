"""The store in one SQLite file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError
from penstock.core.payload import decode, encode
from penstock.core.states import RunState
from penstock.core.store import EVERY_RUN
from penstock.store import claims, rows, schema, statements
from penstock.store.audit.audited import Audited
from penstock.store.audit.sqlite import SqliteTrail
from penstock.store.bells import Bells
from penstock.store.blobs import BlobFolder
from penstock.store.catalogue.catalogued import Catalogued
from penstock.store.catalogue.sqlite import SqliteCatalogue
from penstock.store.chunks import pack, unpack
from penstock.store.failures import Guard
from penstock.store.news import News
from penstock.store.orphans import orphaned
from penstock.store.owners import Owners
from penstock.store.run_queries import find
from penstock.store.taken import fid_taken, key_taken
from penstock.store.transaction import Transaction
from penstock.store.words import Words

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterable, Sequence

    from penstock.core.events import Event
    from penstock.core.store import Batch, RunChange, RunQuery, RunRow, Shift

_IDLE: Final = frozenset({RunState.WAITING, *(state for state in RunState if state.terminal)})
"""States in which a run writes nothing, so that nothing of it needs to be remembered."""


class SqliteStore(Catalogued, Audited):
    """Everything in a SQLite file, shared by any number of processes of one machine.

    One connection, in WAL mode with `synchronous=FULL`, and no thread: every method does its
    work inline and never suspends, but for those that wait for news. A commit costs one fsync
    (100-160 µs here), the hand-over to a thread 60-86 µs on top and a second wait for the
    loop; inline, the events of all runs that came in a turn of the loop share the fsync.
    The price: another process's commit, at worst `busy_timeout`, holds the loop up.

    Writers are fenced: a chunk of events is keyed by its run and its first seq, the first
    seq must follow the last one on disk, and the key is unique. Of two writers that follow
    the same event one is refused, whatever either believes of who owns the run.

    Nothing is kept in memory for a run that waits or has ended.

    busy_timeout: seconds to wait for another process. poll: seconds between looks for events
    of other processes, while somebody waits for them; a look takes microseconds. Changes of
    specs and values, and words for runs, are told by bells; only where the file system has
    no FIFOs are they looked for as often.
    quota_bytes: the size at which the file counts as full, without blobs and log.
    create: make the file and its folders when missing.
    """

    durable = True
    held = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        busy_timeout: float = 5.0,
        poll: float = 0.1,
        quota_bytes: int | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self._create = create
        self._busy_timeout = busy_timeout
        self._quota_bytes = quota_bytes
        self._guard = Guard(self.path)
        self._blobs = BlobFolder(self.path.with_name(f"{self.path.name}.blobs"))
        self._owners = Owners(self.path.with_name(f"{self.path.name}.owners"))
        self._bells = Bells(self.path.with_name(f"{self.path.name}.bells"), poll=poll)
        self._words = Words(
            lambda: self._database, guard=self._guard, owners=self._owners, bells=self._bells
        )
        self._catalogue = SqliteCatalogue(
            lambda: self._database, guard=self._guard, owners=self._owners, bells=self._bells
        )
        self._trail = SqliteTrail(lambda: self._database, guard=self._guard)
        self._news = News(self._mark, self._lasts, poll=poll)
        self._connection: sqlite3.Connection | None = None
        self._tails: dict[str, tuple[int, int]] = {}  # fid → row id, last seq; of runs that write

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def owner(self) -> str:
        """The name under which this store owns runs. The first use makes it and its lock."""
        with self._guard:
            return self._owners.own()

    async def open(self) -> None:
        if self._connection is not None:
            return
        with self._guard:
            self._connection = schema.connect(
                self.path,
                create=self._create,
                busy_timeout=self._busy_timeout,
                quota_bytes=self._quota_bytes,
            )

    async def close(self) -> None:
        """Close the file, and give up this store's runs. Closing twice is harmless."""
        connection, self._connection = self._connection, None
        self._tails.clear()
        self._bells.close()
        leaves_runs = False
        with self._guard:
            try:
                if connection is not None:
                    leaves_runs = self._leaves_runs(connection)
                    connection.close()
            finally:
                self._owners.release(leaves_runs=leaves_runs)  # last: others may claim from here on
        if leaves_runs:
            self._bells.ring()

    def _leaves_runs(self, connection: sqlite3.Connection) -> bool:
        with contextlib.suppress(sqlite3.Error):
            ((found,),) = connection.execute(statements.OWNS, (self._owners.name,))
            return bool(found)
        return True  # where that cannot be told, others had better look

    async def check(self) -> None:
        """Read the whole file. Raises StoreCorrupt with the first thing that is wrong."""
        with self._guard:
            schema.check(self._database, self.path)

    # Writing

    async def commit(self, batch: Batch) -> None:
        database = self._database
        try:
            with self._guard:
                # Blobs reach the disk before the transaction that refers to them begins.
                bodies = {
                    fid: pack(fid, events, self._blobs) for fid, events in batch.events.items() if events
                }
                with Transaction(database):
                    for row in batch.runs:
                        self._insert_run(row)
                    self._insert_chunks(batch, bodies)
                    self._update_runs(batch.changes.values())
        except BaseException:
            self._forget(row.fid for row in batch.runs)
            self._forget(batch.events)
            raise
        for written in (batch.runs, batch.changes.values()):
            self._forget(item.fid for item in written if item.state in _IDLE)

    def _forget(self, fids: Iterable[str]) -> None:
        for fid in fids:
            self._tails.pop(fid, None)

    def _insert_run(self, row: RunRow) -> None:
        try:
            cursor = self._database.execute(statements.INSERT_RUN, rows.to_columns(row))
        except sqlite3.IntegrityError as error:
            raise self._taken(row) from error
        assert cursor.lastrowid is not None
        self._tails[row.fid] = cursor.lastrowid, 0

    def _taken(self, row: RunRow) -> StoreError:
        """What to say when a run's id or its key is taken."""
        if self._first(statements.OF_FID, row.fid) is not None:
            return fid_taken(row.fid)
        holder = self._first(statements.OF_KEY, row.key)
        assert holder is not None
        return key_taken(row.fid, holder=holder.fid)

    def _insert_chunks(self, batch: Batch, bodies: dict[str, bytes]) -> None:
        tails, chunks = self._tails, []
        for fid, body in bodies.items():
            events = batch.events[fid]
            key, last = tails.get(fid) or self._find_tail(fid)
            first = last + 1
            for event in events:
                last += 1
                if event.seq != last:
                    raise _out_of_step(fid, event.seq, last - 1)
            tails[fid] = key, last
            chunks.append((key, first, last, body))
        try:
            self._database.executemany(statements.INSERT_CHUNK, chunks)
        except sqlite3.IntegrityError as error:
            raise self._lost_race(batch) from error

    def _update_runs(self, changes: Iterable[RunChange]) -> None:
        groups: dict[str, list[tuple[Any, ...]]] = {}
        for change in changes:
            found = rows.update(change)
            if found is not None:
                groups.setdefault(found[0], []).append(found[1])
        for sql, parameters in groups.items():
            if self._database.executemany(sql, parameters).rowcount != len(parameters):
                for values in parameters:  # which of them is not there?
                    self._find_tail(values[-1])

    def _find_tail(self, fid: str) -> tuple[int, int]:
        found: tuple[int, int] | None = self._database.execute(statements.TAIL, (fid,)).fetchone()
        if found is None:
            raise StoreError(f"run {fid} is not there, so nothing of it can be written", fid=fid)
        return found

    def _lost_race(self, batch: Batch) -> StoreError:
        """What to say when another process has written events with these seqs."""
        for fid, events in batch.events.items():
            _, last = self._find_tail(fid)
            if events and events[0].seq <= last:
                return _out_of_step(fid, events[0].seq, last)
        return StoreError("another process writes one of these runs")

    # Reading

    async def events(self, fid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        chunks = -1 if limit is None else limit + 1  # the first may end at `after`
        events: list[Event] = []
        with self._guard:
            found = self._database.execute(
                statements.SELECT_CHUNKS, {"fid": fid, "after": after, "chunks": chunks}
            )
            for first, body in found:
                if limit is not None and len(events) >= limit:
                    break
                # A chunk is never cut: to read it again for its rest would cost it again.
                unpacked = unpack(fid, first, body, self._blobs)
                events += [event for event in unpacked if event.seq > after]
        return events

    async def run(self, fid: str) -> RunRow | None:
        return self._first(statements.OF_FID, fid)

    async def runs(self, query: RunQuery = EVERY_RUN) -> list[RunRow]:
        with self._guard:
            return find(self._database, query) if rows.findable(query) else []

    async def launched(self, key: str) -> RunRow | None:
        return self._first(statements.OF_KEY, key)

    def _first(self, where: str, value: str) -> RunRow | None:
        if not rows.is_well_formed(value):
            return None
        with self._guard:
            cursor = self._database.execute(f"{statements.SELECT_RUNS} {where}", (value,))
            return next(iter(rows.from_columns(cursor)), None)

    async def save_revision(self, digest: str, document: dict[str, Any]) -> None:
        if await self.revision(digest) is not None:  # the usual case; it spares an fsync
            return
        with self._guard:
            self._database.execute(statements.INSERT_REVISION, (digest, encode(document)))

    async def revision(self, digest: str) -> dict[str, Any] | None:
        with self._guard:
            found = self._database.execute(statements.SELECT_REVISION, (digest,)).fetchone()
        return None if found is None else decode(found[0])

    # Sharing the file with other processes

    async def claim(self, fids: Sequence[str] | None = None) -> list[RunRow]:
        with self._guard:
            claimed = claims.claim(self._database, self._owners, fids)
        self._forget(row.fid for row in claimed)  # others have written them meanwhile
        self._bells.ring_here()  # there may be words for them
        return claimed

    async def alive(self, owner: str) -> bool:
        with self._guard:
            return self._owners.alive(owner)

    async def hold(self) -> None:
        """Nothing to do: a lock cannot be lost."""

    def shifts(self) -> AsyncIterator[Shift]:
        return orphaned(self._owners, guard=self._guard, bells=self._bells)

    async def signal(self, fid: str, signal: str) -> None:
        """Leave word for the runtime that owns this run, now or after a crash.

        Word for a run that has ended goes nowhere. Raises StoreError for an unknown run.
        """
        self._words.leave(fid, signal)

    def signals(self) -> AsyncIterator[tuple[str, str]]:
        """Words left for runs that this store owns, in order; one reader at a time.

        A word is removed when the next one is asked for: a process that dies while it acts
        on one leaves it to the runtime that claims the run.
        """
        return self._words.hear()

    async def changed(self, fid: str, *, after: int) -> None:
        """Return when the run has events with a seq above `after`, whoever committed them."""
        await self._news.of(fid, after=after)

    def _lasts(self, fids: Iterable[str]) -> dict[str, int]:
        """The last seq of each of these runs that are there."""
        with self._guard:
            return dict(self._database.execute(statements.LASTS, (json.dumps(list(fids)),)))

    def _mark(self) -> tuple[int, int]:
        """Differs from an earlier one once this or another connection has committed since."""
        database = self._database
        with self._guard:
            (version,) = database.execute("PRAGMA data_version").fetchone()
        return version, database.total_changes

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"the journal `{self.path}` is not open", remedy="await store.open() first")
        return self._connection


def _out_of_step(fid: str, seq: int, last: int) -> StoreError:
    return StoreError(
        f"event {seq} of run {fid} does not follow event {last}, its last on disk",
        fid=fid,
        remedy="another process executes this run; read it again, or claim it",
    )
