"""The locks of a run while it is executed: who waits at them, and what was brought to them."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from penstock.core.errors import Denied, LockExpired, NodeError
from penstock.core.events import EventType
from penstock.core.locks import DENIED, RELEASED, CandidateRecord, LockRecord, LockState
from penstock.core.payload import Payload
from penstock.engine.locks.candidate import Candidate, Submission, read_word
from penstock.engine.locks.decision import reasons_of
from penstock.engine.locks.lid import lid_of

if TYPE_CHECKING:
    from penstock.engine.journal import Journal
    from penstock.engine.live import LiveRun
    from penstock.engine.locks.demand import Demand
    from penstock.engine.replay import Replay

Decide = Callable[[Candidate], Awaitable[Payload]]
"""Returns the answer that a candidate releases the lock with; a NodeError coded `denied` denies it."""

Waits = Callable[[], AbstractContextManager[None]]
"""Opens a section in which whoever asks only waits."""


class Locks:
    """The locks of one run.

    A candidate is in the journal as soon as it arrives, before the flow has looked at it: one
    that a crash cuts off is decided again. past: the locks that the stream tells of. restarts: how
    often the flow has begun anew. away: the flow is executed elsewhere, and so are its locks; only
    those that the run itself opens are here. count: how many take candidates here.
    """

    __slots__ = (
        "_arrivals",
        "_away",
        "_forward",
        "_journal",
        "_locks",
        "_restarts",
        "_untaken",
        "_words",
        "count",
        "run",
    )

    def __init__(
        self,
        journal: Journal,
        *,
        past: Mapping[str, LockRecord] | None = None,
        restarts: int = 0,
        away: bool = False,
    ) -> None:
        self._journal = journal
        self._restarts = restarts
        self._away = away
        self._locks = {lid: lock for lid, lock in (past or {}).items() if not (away and lock.node)}
        self.count = sum(lock.open for lock in self._locks.values())
        self._arrivals: dict[str, asyncio.Future[None]] = {}
        self._untaken: set[str] = set()
        self._forward: Callable[[str], None] | None = None
        self._words: deque[str] = deque()
        self.run: LiveRun | None = None

    @classmethod
    def on_replay(cls, journal: Journal, replay: Replay | None) -> Locks:
        """The locks as a replay knows them; none without one."""
        if replay is None:
            return cls(journal)
        return cls(journal, past=replay.locks, restarts=replay.restarts)

    # --- candidates ---------------------------------------------------------------

    @property
    def undelivered(self) -> bool:
        """Whether there is a candidate that the flow has not begun to look at."""
        return bool(self._untaken or self._words)

    def find(self, lid: str) -> LockRecord | None:
        """A lock that takes candidates here."""
        lock = self._locks.get(lid)
        return lock if lock is not None and lock.open else None

    def hear(self, word: str) -> None:
        """Take a word that was left for the run, if it carries a candidate."""
        submission = read_word(word)
        if submission is not None:
            self.take(submission)

    def forward(self, to: Callable[[str], None] | None) -> None:
        """Words for locks that are not here go this way from now on, those that were kept first."""
        self._forward = to
        while self._words and self._forward is not None:
            self._forward(self._words.popleft())

    def take(self, submission: Submission) -> bool:
        """Bring a candidate to its lock, or to where the flow is executed; False when there is none."""
        if not self._away or self.find(submission.lid) is not None:
            return self._offer(submission)
        self._words.append(submission.to_word())
        self.forward(self._forward)
        return True

    def _offer(self, submission: Submission) -> bool:
        lock = self.find(submission.lid)
        if lock is None or self._journal.closed:
            return False
        if lock.candidate(submission.id) is not None:
            return True
        if self.run is not None:
            # Before the candidate: a run whose row says that it waits has none to look at.
            self.run.wake("candidate")
        facts = {"lock": lock.lid, "id": submission.id, "value": submission.value, "by": submission.by}
        self._journal.emit(EventType.LOCK_CANDIDATE, lock.node, facts)
        at = self._journal.now()
        lock.candidates.append(CandidateRecord(submission.id, submission.value, submission.by, at))
        self._untaken.add(lock.lid)
        arrival = self._arrivals.get(lock.lid)
        if arrival is not None and not arrival.done():
            arrival.set_result(None)
        return True

    # --- asking -------------------------------------------------------------------

    async def ask(
        self, demand: Demand, *, node: str, place: str, decide: Decide, waits: Waits
    ) -> Payload:
        """Open a lock and wait for its answer; on a replay, go on with it as it stood.

        node: the firing that asks, as a path. place: what tells the lock from the others of the
        run, on every replay alike. Raises LockExpired, or what `decide` raises but denials.
        """
        run = self.run
        assert run is not None
        if run.stopped:  # what a cancelled run still does to clean up asks nobody
            raise asyncio.CancelledError
        if self._journal.silent:
            raise NodeError(
                f"nobody could answer the lock `{demand.name}`, because the run is not recorded",
                code="lock.unrecorded",
                remedy="leave out `record: none`; a trigger says `durable: true`",
            )
        lid = lid_of(run.fid, place, self._restarts)
        lock = self._locks.get(lid)
        if lock is None:
            lock = self._open(LockRecord(lid, name=demand.name, node=node, schema=demand.schema), demand)
        elif lock.state is LockState.CLOSED:
            # What made the flow leave it will do so again.
            with waits():
                await asyncio.get_running_loop().create_future()
        try:
            return await self._settle(run, lock, decide, waits)
        finally:
            if lock.open and self._journal.failed is None and not self._journal.closed:
                # The flow goes on without it: it failed, was cancelled, or went another way.
                self._finish(lock, LockState.CLOSED, EventType.LOCK_EXPIRED, reason="closed")
            del self._locks[lid]
            self._untaken.discard(lid)

    def _open(self, lock: LockRecord, demand: Demand) -> LockRecord:
        lock.opened = self._journal.now()
        lock.release_timeout = demand.release_timeout
        if demand.candidate_timeout is not None:
            lock.expires = lock.opened + demand.candidate_timeout
        facts = {
            "lock": lock.lid,
            "name": demand.name,
            "title": demand.title,
            "description": demand.description,
            "schema": demand.schema,
            "data": demand.data,
            "expires": lock.expires,
            "release_timeout": demand.release_timeout,
        }
        self._journal.emit(EventType.LOCK_OPENED, lock.node, facts)
        self._locks[lock.lid] = lock
        self._count(1)
        if self.run is not None and self.run.observer is not None:
            self.run.observer.lock_opened(self.run.subject, lock.name, lock.node)
        self._probe("lock.opened")
        return lock

    async def _settle(self, run: LiveRun, lock: LockRecord, decide: Decide, waits: Waits) -> Payload:
        """Take candidates until one is released. Raises LockExpired."""
        while lock.open:
            undecided = lock.undecided()
            self._untaken.discard(lock.lid)
            if undecided:
                await self._judge(lock, undecided[0], decide)
            elif lock.expires is not None and lock.expires <= run.clock.now():
                self._finish(lock, LockState.EXPIRED, EventType.LOCK_EXPIRED, reason="timeout")
            else:
                await self._arrival(run, lock, waits)
        if lock.state is LockState.EXPIRED:
            raise _expired(lock)
        return lock.answer

    async def _arrival(self, run: LiveRun, lock: LockRecord, waits: Waits) -> None:
        """Wait for a candidate, or for the time of the lock to be over."""
        arrival = self._arrivals[lock.lid] = asyncio.get_running_loop().create_future()
        try:
            with waits():
                await run.wait(arrival, math.inf if lock.expires is None else lock.expires)
        finally:
            del self._arrivals[lock.lid]

    async def _judge(self, lock: LockRecord, record: CandidateRecord, decide: Decide) -> None:
        """Have the flow decide about a candidate, and write down what it decided."""
        number = lock.candidates.index(record)
        self._probe("lock.candidate")
        try:
            answer = await decide(Candidate(record.id, record.value, record.by, number))
        except NodeError as error:
            if error.code != Denied.code or self._journal.closed:
                raise
            record.outcome, record.reasons = DENIED, reasons_of(error)
            reasons = msgspec.to_builtins(record.reasons)
            facts = {"lock": lock.lid, "id": record.id, "reasons": reasons}
            self._journal.emit(EventType.LOCK_DENIED, lock.node, facts)
            self._tell_decided(lock, DENIED)
            self._probe("lock.decided")
            return
        if self._journal.closed:  # the run is being put aside: it decides again when it is back
            raise asyncio.CancelledError
        record.outcome, lock.answer = RELEASED, answer
        facts = {"id": record.id, "value": answer, "by": record.by}
        self._finish(lock, LockState.RELEASED, EventType.LOCK_RELEASED, **facts)
        self._tell_decided(lock, RELEASED)
        self._probe("lock.decided")

    def _finish(self, lock: LockRecord, state: LockState, type: str, **facts: Any) -> None:  # noqa: A002
        now = self._journal.now()
        lock.settle(state, now)
        self._journal.emit(type, lock.node, {"lock": lock.lid, **facts})
        self._count(-1)
        run = self.run
        if run is not None and run.observer is not None:
            run.observer.lock_settled(run.subject, lock.name, lock.node, state, now - lock.opened)

    def _tell_decided(self, lock: LockRecord, outcome: str) -> None:
        if self.run is not None and self.run.observer is not None:
            self.run.observer.candidate_decided(self.run.subject, lock.name, outcome)

    def _count(self, change: int) -> None:
        self.count += change
        self._journal.change(locks=self.count)

    def _probe(self, point: str) -> None:
        if self.run is not None:
            self.run.probe(point)


def _expired(lock: LockRecord) -> LockExpired:
    return LockExpired(
        f"nobody released the lock `{lock.name}` in time",
        details=lock.lid,
        remedy="raise its `candidate_timeout`, or catch `LockExpired`",
    )


def expired_again(error: NodeError) -> NoReturn:
    """Raise a failure that came out of the journal; an expired lock is a LockExpired again."""
    if error.code != LockExpired.code or isinstance(error, LockExpired):
        raise error
    raise LockExpired(
        error.message, details=error.details, node=error.node, remedy=error.remedy
    ) from error
