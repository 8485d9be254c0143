"""The journal: a run's events on their way to the store.

Writes of all runs are committed together: whoever needs its events on disk waits, and
the one committer writes everything that came up in the same turn of the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.core.errors import KeyTaken, RunExists, StoreError
from penstock.core.events import EFFECTS, TERMINAL, Event, EventType
from penstock.core.payload import Error
from penstock.core.policies import Record
from penstock.core.store import Batch, RunChange, RunRow

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.engine.observer import Observer
    from penstock.engine.redaction import Redactor

LAZY_SECONDS: Final = 0.02
"""How long an event that nobody waits for may stay in memory."""

WATCHED_SECONDS: Final = 0.004
"""The same while somebody follows a run, and so sees how late its events are."""

_KEPT: Final = {
    Record.FULL: frozenset(str(kind) for kind in EventType),
    Record.EFFECTS: frozenset(str(kind) for kind in EFFECTS),
    Record.NONE: frozenset[str](),
}


class Ledger(Protocol):
    """What is written into: a store, or what stands for one where there is none; see `Store`."""

    async def commit(self, batch: Batch) -> None: ...

    @property
    def held(self) -> bool: ...

    async def hold(self) -> None: ...


class Journal:
    """The stream of one run, as far as this process writes it.

    silent: nothing is recorded. keeps_starts: node.started is recorded, too. dirty:
    something is not on disk yet. closed: nothing is added any more, because the run has
    ended here or was put aside. redactor: masks the secrets of the flow in everything
    that is added.
    """

    __slots__ = (
        "_clock",
        "_committer",
        "_keep",
        "closed",
        "committed",
        "failed",
        "fid",
        "keeps_starts",
        "pending",
        "redactor",
        "seq",
        "silent",
    )

    def __init__(
        self,
        fid: str,
        committer: Committer,
        clock: Clock,
        *,
        record: Record = Record.FULL,
        seq: int = 0,
        redactor: Redactor | None = None,
    ) -> None:
        self.fid = fid
        self.seq = seq
        self.committed = seq
        self.pending: list[Event] = []
        self.silent = record is Record.NONE
        self.closed = False
        self.failed: StoreError | None = None
        self.redactor = redactor
        self._keep = _KEPT[record]
        self.keeps_starts = EventType.NODE_STARTED in self._keep
        self._committer = committer
        self._clock = clock

    def emit(self, type: str, node: str, data: dict[str, Any]) -> None:  # noqa: A002 - the field's word
        """Add an event. It reaches the disk soon; `durable` waits for that."""
        if type not in self._keep and type[:6] != "agent.":
            return
        if self.silent:
            return
        if self.failed is not None:
            raise self.failed
        if self.closed:
            return
        if self.redactor is not None:
            shown = self.redactor.event(data, of_lock=type[:5] == "lock.")
            # A replay must know that this is not what the node sent.
            data = shown if shown == data else shown | {"masked": True}
        self.closed = type in TERMINAL
        self.seq += 1
        if not self.pending:
            self._committer.add(self)
        self.pending.append(Event(self.seq, self._clock.now(), type, node, data))

    def now(self) -> float:
        """Epoch seconds, by the clock that dates the events."""
        return self._clock.now()

    @property
    def dirty(self) -> bool:
        return self.committed < self.seq

    def commit(self) -> asyncio.Future[None]:
        """A future for the next commit; whether it went well is told by `failed`."""
        return self._committer.committed()

    async def durable(self) -> None:
        """Return when every event so far is on disk. Raises StoreError."""
        if self.committed < self.seq:
            await self._committer.committed()
        if self.failed is not None:
            raise self.failed

    @property
    def held(self) -> bool:
        """Whether it is certain at this moment that the run is not another runtime's.

        A runtime that was paused must not begin with effects that another one has done.
        """
        return self.silent or self._committer.store.held

    async def hold(self) -> None:
        """Make certain of it. Raises StoreLost when the run may be another's, or StoreError."""
        await self._committer.hold(self)
        if self.failed is not None:
            raise self.failed

    def create(self, row: RunRow) -> None:
        """Let the run itself come into being with the next commit."""
        self._committer.rows.append(row)

    def change(self, **fields: Any) -> None:
        """Change the run's row with the next commit."""
        if self.silent or self.closed or self.failed is not None:
            return
        known = self._committer.changes.get(self.fid)
        if known is None:
            self._committer.changes[self.fid] = RunChange(fid=self.fid, **fields)
            return
        for name, value in fields.items():
            setattr(known, name, value)


Written = tuple[Journal, list[Event]]

PORTION: Final = 512
"""How many of those who waited for a commit go on at a time. The others go on while the store
writes what these ask for: so the store, and its server, work at the same time as the runs."""


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Committer:
    """Writes what all journals of a runtime have gathered, one batch at a time.

    published: called after a commit with each journal and its new events. watched: whether
    somebody waits for that.
    broken: called with the journals of a batch that could not be written. observer: told of
    every commit.
    """

    def __init__(
        self,
        store: Ledger,
        *,
        published: Callable[[list[Written]], None],
        watched: Callable[[], bool] = lambda: False,
        broken: Callable[[list[Journal], StoreError], None],
        clock: Clock,
        observer: Observer | None = None,
    ) -> None:
        self.store = store
        self._published = published
        self._watched = watched
        self._broken = broken
        self._clock = clock
        self._observer = observer
        self._dirty: list[Journal] = []
        self.rows: list[RunRow] = []
        self.changes: dict[str, RunChange] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._served: deque[asyncio.Future[None]] = deque()
        self._lazy: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def hold(self, journal: Journal) -> None:
        """Make certain of it; otherwise the journal fails, as after a commit that was refused."""
        try:
            await self.store.hold()
        except StoreError as error:
            journal.failed = error
            self._broken([journal], error)

    def add(self, journal: Journal) -> None:
        """Take note that a journal has events to write."""
        self._dirty.append(journal)
        if self._lazy is None and self._task is None:
            seconds = WATCHED_SECONDS if self._watched() else LAZY_SECONDS
            self._lazy = asyncio.get_running_loop().call_later(seconds, self._start)

    def committed(self) -> asyncio.Future[None]:
        """A future for the commit of everything that has been gathered until it begins."""
        # One for each who waits: cancelling a task cancels what it waits for.
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._task is None:
            self._start()
        return waiter

    async def close(self) -> None:
        """Write what is left."""
        while self._asked or self._task is not None:
            await self.committed()

    def _start(self) -> None:
        if self._lazy is not None:
            self._lazy.cancel()
            self._lazy = None
        if self._task is None:
            # The task begins behind everything that is ready in this turn of the loop,
            # so that all of it shares the commit.
            self._task = asyncio.get_running_loop().create_task(self._run(), name="penstock:committer")

    async def _run(self) -> None:
        try:
            while self._asked or self._served:
                if self._asked:
                    await self._commit()
                    continue
                await asyncio.sleep(0)  # what those ask for who go on goes into the next commit
                if not self._asked:
                    self._wake_some()
        finally:
            self._task = None
            self._wake_all()

    @property
    def _asked(self) -> bool:
        """Whether there is anything to write, or anybody who waits for it."""
        return bool(self._dirty or self.rows or self.changes or self._waiting)

    def _wake_some(self) -> None:
        """Let some of those go on whose events are on disk."""
        for _ in range(min(PORTION, len(self._served))):
            _wake(self._served.popleft())

    def _wake_all(self) -> None:
        while self._served:
            _wake(self._served.popleft())

    async def _commit(self) -> None:
        batch = Batch()
        journals, self._dirty = self._dirty, []
        batch.runs, self.rows = self.rows, []
        batch.changes, self.changes = self.changes, {}
        waiting, self._waiting = self._waiting, []
        written: list[Written] = []
        for journal in journals:
            events, journal.pending = journal.pending, []
            written.append((journal, events))
            batch.events[journal.fid] = events
        self._wake_some()
        try:
            written = await self._write(batch, written)
            for journal, events in written:
                journal.committed = events[-1].seq
            self._published(written)
        finally:
            # A commit that failed wakes its waiters too: each looks at its own journal.
            self._served.extend(waiting)
            self._wake_some()

    async def _store(self, batch: Batch) -> None:
        observer = self._observer
        if observer is None:
            await self.store.commit(batch)
            return
        began = self._clock.monotonic()
        error: Error | None = None
        try:
            await self.store.commit(batch)
        except (RunExists, KeyTaken):  # somebody was quicker with it: that is how it should be
            raise
        except Exception as cause:
            error = Error.from_exception(cause)
            raise
        finally:
            count = sum(map(len, batch.events.values()))
            observer.committed(count, self._clock.monotonic() - began, error)

    async def _write(self, batch: Batch, written: list[Written]) -> list[Written]:
        """Commit, and return whose events are on disk.

        When the store names one run as the fault, the others are written without it.
        """
        while batch:
            try:
                await self._store(batch)
                break
            except Exception as cause:
                # A store promises StoreError alone; a defect of one must not lose events quietly.
                error = (
                    cause
                    if isinstance(cause, StoreError)
                    else StoreError(f"the store failed: {cause!r}")
                )
                alone = batch.concerns(error.fid)
                at_fault = [pair for pair in written if not alone or pair[0].fid == error.fid]
                for journal, _ in at_fault:
                    journal.failed = error
                self._broken([journal for journal, _ in at_fault], error)
                if not alone:
                    return []
                written = [pair for pair in written if pair[0].fid != error.fid]
                batch.without(error.fid)
        return written
