"""Submissions: candidates for locks, and what became of them.

A run may be executed here, by another process, or by nobody just now. Its candidate is
brought into its journal; what the flow made of it is read from there, by whoever asks.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from penstock.core.errors import CandidateInvalid, LockClosed, LockNotFound, LockUndecided
from penstock.core.locks import (
    CandidateRecord,
    Decision,
    LockRecord,
    LockState,
    fold_locks,
    record_lock,
)
from penstock.core.payload import normalise
from penstock.core.reason import Reason
from penstock.core.store import RunQuery, RunRow
from penstock.engine.locks.candidate import Submission
from penstock.engine.locks.schema import misfits
from penstock.engine.run import Run

if TYPE_CHECKING:
    from penstock.engine.execution import Execution
    from penstock.engine.locks.carrier import Carrier
    from penstock.engine.runtime import Runtime

MOST_UNDECIDED: Final = 32
"""How many candidates a flow may leave undecided before it is brought no more."""


class FoundLock(NamedTuple):
    """An open lock, and the run that opened it."""

    row: RunRow
    lock: LockRecord


class _Known(NamedTuple):
    """A lock as the stream has it. seq: what follows it is news."""

    lock: LockRecord
    seq: int


class Submissions:
    """What is submitted to the locks of all runs of a store. executions: those in memory, by fid."""

    def __init__(
        self, runtime: Runtime, *, executions: Mapping[str, Execution], carrier: Carrier
    ) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._executions = executions
        self._carrier = carrier

    # --- looking ------------------------------------------------------------------

    async def locks(self, fid: str) -> list[LockRecord]:
        """All locks of a run, in the order they were opened. Raises RunNotFound."""
        row = await Run(self._runtime, fid).row()
        return list(fold_locks(await self._store.events(row.fid)).values())

    async def open_locks(self, query: RunQuery) -> list[FoundLock]:
        """The open locks of the runs that a query asks for, newest runs first."""
        query = msgspec.structs.replace(query, locked=True)
        found = []
        for row in await self._store.runs(query):
            found += [FoundLock(row, lock) for lock in await self.locks(row.fid) if lock.open]
        return found

    # --- submitting ---------------------------------------------------------------

    async def submit(self, fid: str, submission: Submission) -> Decision:
        """Bring a candidate to its lock, and return what the flow made of it.

        Raises RunNotFound, LockNotFound, LockClosed, CandidateInvalid, LockUndecided, and what keeps
        the run itself from going on.
        """
        known = await self._find(fid, submission)
        if not self._came_before(fid, submission, known.lock):
            self._check(fid, submission, known.lock)
        limit = known.lock.release_timeout
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = None
        if limit is not None:
            timer = self._runtime.clock.call_later(limit, functools.partial(_end, over))
        carrying = asyncio.create_task(
            self._carrier.carry(fid, submission), name=f"penstock:candidate:{fid}"
        )
        outcome = asyncio.create_task(
            self._outcome(fid, submission, known), name=f"penstock:outcome:{fid}"
        )
        try:
            await asyncio.wait((outcome, over, carrying), return_when=asyncio.FIRST_COMPLETED)
            if not outcome.done() and carrying.done():
                carrying.result()  # it cannot go on; otherwise its stream tells the rest
                await asyncio.wait((outcome, over), return_when=asyncio.FIRST_COMPLETED)
            if not outcome.done():
                raise _undecided(fid, submission, f"within {limit:g} s")
            return outcome.result()
        finally:
            if timer is not None:
                timer.cancel()
            carrying.cancel()
            outcome.cancel()
            await asyncio.gather(outcome, carrying, return_exceptions=True)

    def _check(self, fid: str, submission: Submission, lock: LockRecord) -> None:
        """Refuse a candidate that the flow need not see. Raises CandidateInvalid, LockUndecided."""
        if len(lock.undecided()) >= MOST_UNDECIDED:
            raise _undecided(fid, submission, "about those that came before")
        reasons = misfits(lock.schema, submission.value)
        if reasons:
            raise CandidateInvalid(
                reasons, fid=fid, lid=submission.lid, remedy="correct it, and submit it again"
            )

    def _came_before(self, fid: str, submission: Submission, lock: LockRecord) -> bool:
        """Whether a candidate of this id is known. Raises LockClosed when none can come now."""
        found = lock.candidate(submission.id)
        same = found is not None and (found.masked or found.value == submission.value)
        if not lock.open and not (found is not None and same and found.outcome):
            raise _closed(fid, lock)
        if found is not None and not same:
            reason = Reason(f"another candidate has the id `{submission.id}` already")
            raise CandidateInvalid((reason,), fid=fid, lid=lock.lid, remedy="give each an id of its own")
        return same

    async def _find(self, fid: str, submission: Submission) -> _Known:
        """The lock that is meant, from memory where it is open. Raises LockNotFound or RunNotFound."""
        execution = self._executions.get(fid)
        lock = None if execution is None else execution.locks.find(submission.lid)
        # What is decided already is read from the stream: there it is on disk, and masked.
        if execution is None or lock is None or lock.candidate(submission.id) is not None:
            return await self._read(fid, submission.lid)
        snapshot = msgspec.structs.replace(lock, candidates=list(lock.candidates))
        return _Known(snapshot, execution.journal.committed)

    async def _read(self, fid: str, lid: str) -> _Known:
        execution = self._executions.get(fid)
        if execution is not None:
            await execution.journal.durable()
        row = await Run(self._runtime, fid).row()
        events = await self._store.events(row.fid)
        lock = fold_locks(events).get(lid)
        if lock is None:
            raise LockNotFound(
                f"run `{fid}` has no lock `{lid}`",
                fid=fid,
                lid=lid,
                remedy=f"`penstock locks ls {fid}` lists its locks",
            )
        return _Known(lock, events[-1].seq)

    async def _outcome(self, fid: str, submission: Submission, known: _Known) -> Decision:
        """What the stream says of a candidate, now or later. Raises LockClosed where it says nothing."""
        found = known.lock.candidate(submission.id)
        decision = None if found is None else known.lock.decision(found)
        if decision is not None:
            return decision
        mine = CandidateRecord(submission.id)
        lock = LockRecord(submission.lid, name=known.lock.name, candidates=[mine])
        with self._runtime.streams.subscribe(fid, known.seq) as subscription:
            while lock.open and (events := await subscription.take()):
                for event in events:
                    record_lock({lock.lid: lock}, event)
                decision = lock.decision(mine)
                if decision is not None:
                    return decision
        raise _closed(fid, lock)


def submission(lid: str, value: Any, *, by: str = "", id: str = "") -> Submission:  # noqa: A002
    """A candidate for a lock; without an id of its own it gets one that nobody else has."""
    return Submission(lid, id or secrets.token_hex(8), by, normalise(value))


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _closed(fid: str, lock: LockRecord) -> LockClosed:
    ends = {
        LockState.RELEASED: "was released already",
        LockState.EXPIRED: "has expired",
    }
    return LockClosed(
        f"the lock `{lock.name}` of run `{fid}` {ends.get(lock.state, 'is not asked for any more')}",
        fid=fid,
        lid=lock.lid,
        remedy=f"`penstock runs show {fid}` tells how the run went on",
    )


def _undecided(fid: str, submission: Submission, what: str) -> LockUndecided:
    return LockUndecided(
        f"the flow has not decided {what}",
        fid=fid,
        lid=submission.lid,
        remedy=f"it may still do so: submit the same candidate with the id `{submission.id}` again",
    )
