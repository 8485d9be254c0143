"""The store in a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError, StoreLost
from penstock.core.payload import decode, encode
from penstock.core.states import RunState
from penstock.core.store import EVERY_RUN, Shift
from penstock.store import rows
from penstock.store.audit.audited import Audited
from penstock.store.audit.postgres import PostgresTrail
from penstock.store.catalogue.catalogued import Catalogued
from penstock.store.chunks import pack, unpack
from penstock.store.postgres import columns, failures, schema, statements
from penstock.store.postgres.address import Address
from penstock.store.postgres.blobs import BlobBag
from penstock.store.postgres.catalogue import PostgresCatalogue
from penstock.store.postgres.columns import Chunk
from penstock.store.postgres.lease import Lease
from penstock.store.postgres.line import Line, driver
from penstock.store.postgres.news import News
from penstock.store.postgres.reports import Reports
from penstock.store.postgres.run_queries import find
from penstock.store.postgres.words import Words
from penstock.store.taken import fid_taken, key_taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from penstock.core.events import Event
    from penstock.core.store import Batch, RunQuery, RunRow

LEASE_SECONDS: Final = 6.0
"""A dead runtime's runs are taken over after this and a third of it at the latest."""

_IDLE: Final = frozenset({RunState.WAITING, *(state for state in RunState if state.terminal)})
"""States in which a run writes nothing, so that nothing of it needs to be remembered."""


class PostgresStore(Catalogued, Audited):
    """Everything in a PostgreSQL database, shared by any number of processes and machines.

    Four connections, each made when it is needed: one commits, one reads, one renews the
    lease and carries news, and one writes specs and values, so that none waits behind a
    long read, a large commit, or those who write the same.
    A commit is one call of a function in the database, hence one round trip and one
    transaction; while it is on its way, the events for the next one gather.

    Writers are fenced twice. A commit locks the row of its lease, which a claim deletes
    first: a runtime that was paused for longer than its lease is refused, all its runs
    alike. And a chunk of events is keyed by its run and its first seq, as in SQLite.

    lease_seconds: for how long a runtime that is not heard of keeps its runs.
    lock_seconds: how long a statement may wait for locks of others.
    create: make the tables when missing.
    """

    durable = True

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        lease_seconds: float = LEASE_SECONDS,
        lock_seconds: float = 5.0,
    ) -> None:
        driver()  # a missing one is told at once
        self._address = Address.parse(url)
        self._create = create
        self._tails: dict[str, int] = {}  # fid → last seq; of runs that write
        self._news = News(self._address.schema, on_owners=self._orphaned)
        self._writing = Line(self._address, lock_seconds=lock_seconds)
        self._reading = Line(self._address, lock_seconds=lock_seconds)
        self._keeping = Line(self._address, lock_seconds=lock_seconds, on_connect=self._news.listen)
        self._filing = Line(self._address, lock_seconds=lock_seconds)
        self._lines = (self._writing, self._reading, self._keeping, self._filing)
        self._lease = Lease(
            self._keeping,
            seconds=lease_seconds,
            channel=self._news.owners,
            on_lost=self._tails.clear,
        )
        self._catalogue = PostgresCatalogue(
            writing=self._filing,
            reading=self._reading,
            keeping=self._keeping,
            news=self._news,
            reports=Reports(lease=self._lease, writing=self._filing, reading=self._reading),
        )
        self._trail = PostgresTrail(writing=self._filing, reading=self._reading)
        self._words = Words(
            writing=self._writing, keeping=self._keeping, lease=self._lease, news=self._news
        )

    @property
    def url(self) -> str:
        """The address, without its secrets."""
        return self._address.shown

    async def open(self) -> None:
        for line in self._lines:
            line.open()
        try:
            async with self._writing as connection:
                await schema.prepare(connection, self._address, create=self._create)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Give up this store's runs, and end the connections. Closing twice is harmless."""
        try:
            await self._news.close()
            await self._lease.release()
        finally:
            self._tails.clear()
            for line in self._lines:
                await line.close()

    async def check(self) -> None:
        """Read the whole journal. Raises StoreCorrupt when some of it cannot be read."""
        async with self._reading as connection:
            await connection.fetchrow(statements.CHECK)

    # Writing

    async def commit(self, batch: Batch) -> None:
        token = await self._token_for(batch.runs)
        try:
            async with self._writing as connection:
                chunks = await self._chunks(connection, batch)
                try:
                    await connection.fetchval(
                        statements.COMMIT,
                        token,
                        *columns.of_runs(batch.runs),
                        *columns.of_chunks(chunks),
                        *columns.of_changes(batch.changes.values()),
                    )
                except driver().UniqueViolationError as error:
                    raise await self._collision(connection, batch, chunks) from error
        except BaseException as error:
            self._forget(row.fid for row in batch.runs)
            self._forget(batch.events)
            if isinstance(error, StoreLost) and not error.fid:
                self._lease.lose(token)
            raise
        self._tails.update({chunk.fid: chunk.last for chunk in chunks})
        for written in (batch.runs, batch.changes.values()):
            self._forget(item.fid for item in written if item.state in _IDLE)
        if chunks:
            self._news.tell((chunk.fid for chunk in chunks), self._keeping)

    async def _token_for(self, runs: list[RunRow]) -> int | None:
        """The token that fences a commit. New runs of this runtime need a lease to be in."""
        for row in runs:
            if row.owner in self._lease.former:
                raise failures.lost(row.fid)
        if self._lease.token is None and any(row.owner == self._lease.name for row in runs):
            return await self._lease.take()
        return self._lease.token

    async def _chunks(self, connection: Any, batch: Batch) -> list[Chunk]:
        """The rows of `events`. Their blobs are in the database when this returns."""
        last = await self._last_seqs(connection, batch)
        chunks, contents = [], {}
        for fid, events in batch.events.items():
            if not events:
                continue
            first = seq = last[fid] + 1
            for event in events:
                if event.seq != seq:
                    raise failures.out_of_step(fid, event.seq, seq - 1)
                seq += 1
            bag = BlobBag()
            body = pack(fid, events, bag)
            blobs = " ".join(bag.contents) if bag.contents else None
            chunks.append(Chunk(fid, first, seq - 1, body, blobs))
            contents.update(bag.contents)
        for digest, content in contents.items():  # one by one: each may be as long as a message
            await connection.execute(statements.INSERT_BLOBS, [digest], [content])
        return chunks

    async def _last_seqs(self, connection: Any, batch: Batch) -> dict[str, int]:
        """The last seq of each run of a batch. Raises StoreLost for a run of another's."""
        known = {**self._tails, **dict.fromkeys((row.fid for row in batch.runs), 0)}
        unknown = [fid for fid, events in batch.events.items() if events and fid not in known]
        if not unknown:
            return known
        owners = {}
        for fid, owner, last in await connection.fetch(statements.TAILS, unknown):
            known[fid], owners[fid] = last, owner
        for fid in unknown:
            if fid not in known:
                raise failures.unknown_run(fid)
        others = [fid for fid in unknown if owners[fid] not in ("", self._lease.name)]
        if others:
            # Without a name all of them are at fault, so that they need not be found one by one.
            all_of_them = len(others) > 1 and len(others) == sum(map(bool, batch.events.values()))
            raise failures.lost() if all_of_them else failures.of_another(others[0])
        return known

    async def _collision(self, connection: Any, batch: Batch, chunks: list[Chunk]) -> StoreError:
        """What to say when a run is there already, or another process has written these seqs."""
        fids = [*(row.fid for row in batch.runs), *(chunk.fid for chunk in chunks)]
        tails = {fid: last for fid, _, last in await connection.fetch(statements.TAILS, fids)}
        keys = [row.key for row in batch.runs if row.key]
        holders = dict(await connection.fetch(statements.HOLDERS, keys)) if keys else {}
        seen = set(tails)
        for row in batch.runs:
            if row.fid in seen:
                return fid_taken(row.fid)
            if row.key in holders:
                return key_taken(row.fid, holder=holders[row.key])
            seen.add(row.fid)
            if row.key:
                holders[row.key] = row.fid
        for chunk in chunks:
            if chunk.first <= tails.get(chunk.fid, 0):
                return failures.out_of_step(chunk.fid, chunk.first, tails[chunk.fid])
        return StoreError("another process writes one of these runs")

    def _forget(self, fids: Iterable[str]) -> None:
        for fid in fids:
            self._tails.pop(fid, None)

    # Reading

    async def events(self, fid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        chunks = None if limit is None else limit + 1  # the first may end at `after`
        events: list[Event] = []
        async with self._reading as connection:
            found = await connection.fetch(statements.SELECT_CHUNKS, fid, after, chunks)
            digests = {digest for _, _, blobs in found for digest in blobs or ()}
            bag = BlobBag(
                dict(await connection.fetch(statements.SELECT_BLOBS, list(digests))) if digests else {}
            )
        for first, body, _ in found:
            if limit is not None and len(events) >= limit:
                break
            # A chunk is never cut: to read it again for its rest would cost it again.
            events += [event for event in unpack(fid, first, body, bag) if event.seq > after]
        return events

    async def run(self, fid: str) -> RunRow | None:
        return await self._first(statements.OF_FID, fid)

    async def runs(self, query: RunQuery = EVERY_RUN) -> list[RunRow]:
        if not rows.findable(query):
            return []
        async with self._reading as connection:
            return await find(connection, query)

    async def launched(self, key: str) -> RunRow | None:
        return await self._first(statements.OF_KEY, key)

    async def _first(self, where: str, value: str) -> RunRow | None:
        found = await self._select(where, value) if rows.is_well_formed(value) else []
        return found[0] if found else None

    async def _select(self, where: str, *parameters: Any) -> list[RunRow]:
        async with self._reading as connection:
            cursor = await connection.fetch(f"{statements.SELECT_RUNS} {where}", *parameters)
            return rows.from_columns(cursor)

    async def save_revision(self, digest: str, document: dict[str, Any]) -> None:
        if await self.revision(digest) is not None:  # the usual case; it spares a commit
            return
        async with self._writing as connection:
            await connection.execute(statements.INSERT_REVISION, digest, encode(document))

    async def revision(self, digest: str) -> dict[str, Any] | None:
        async with self._reading as connection:
            found = await connection.fetchval(statements.SELECT_REVISION, digest)
        return None if found is None else decode(found)

    # Sharing the database with other processes

    @property
    def owner(self) -> str:
        """The name under which this store owns runs, until its lease is lost."""
        return self._lease.name

    @property
    def held(self) -> bool:
        return self._lease.held

    async def hold(self) -> None:
        await self._lease.renew()

    def shifts(self) -> AsyncIterator[Shift]:
        return self._lease.shifts()

    def _orphaned(self) -> None:
        self._lease.tell(Shift.ORPHANED)

    async def claim(self, fids: Sequence[str] | None = None) -> list[RunRow]:
        token = await self._lease.take()
        wanted = None if fids is None else list(fids)
        try:
            async with self._writing as connection:
                found = await connection.fetch(statements.CLAIM, token, wanted, self._news.owners)
        except StoreLost:
            self._lease.lose(token)
            raise
        claimed = [fid for (fid,) in found]
        self._forget(claimed)  # others have written them meanwhile
        self._news.ring([(self._news.signals, "")])  # there may be words for them
        if not claimed:
            return []
        return await self._select(statements.OF_FIDS, claimed)

    async def alive(self, owner: str) -> bool:
        if owner == self._lease.name:
            return True
        async with self._reading as connection:
            return bool(await connection.fetchval(statements.ALIVE, owner))

    async def signal(self, fid: str, signal: str) -> None:
        """Leave word for the runtime that owns this run, now or after a crash.

        Word for a run that has ended goes nowhere. Raises StoreError for an unknown run.
        """
        await self._words.leave(fid, signal)

    def signals(self) -> AsyncIterator[tuple[str, str]]:
        """Words left for runs that this store owns, in order; one reader at a time.

        A word is removed when the next one is asked for: a process that dies while it acts
        on one leaves it to the runtime that claims the run.
        """
        return self._words.hear()

    async def changed(self, fid: str, *, after: int) -> None:
        """Return when the run has events with a seq above `after`, whoever committed them."""
        with self._news.bell(self._news.events, fid) as bell:
            while True:
                bell.clear()
                async with self._keeping as connection:
                    last = await connection.fetchval(statements.TAIL, fid)
                if last is not None and last > after:
                    return
                await bell.rings()
