"""Submissions: candidates on their way to their locks, wherever the runs are.

A run may be executed here, by another process, or by nobody just now. The candidate is
brought to it, into its journal; what the flow made of it is read from there, by whoever asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from penstock.core.errors import (
    CandidateInvalid,
    LockClosed,
    LockNotFound,
    LockUndecided,
    PenstockError,
    RunBusy,
    RunSuspended,
    StoreAway,
)
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
from penstock.engine.locks.candidate import WORD, Submission, read_word
from penstock.engine.locks.schema import misfits
from penstock.engine.recovery import RETURN_SECONDS
from penstock.engine.run import Run

if TYPE_CHECKING:
    from penstock.engine.execution import Execution
    from penstock.engine.recovery import Recovery
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
    """What is brought to the locks of all runs of a store. executions: those in memory, by fid."""

    def __init__(
        self, runtime: Runtime, *, executions: Mapping[str, Execution], recovery: Recovery
    ) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._executions = executions
        self._recovery = recovery

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
        limit = known.lock.release_timeout
        work = asyncio.create_task(
            self._bring_and_wait(fid, submission, known), name=f"penstock:candidate:{fid}"
        )
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = None
        if limit is not None:
            timer = self._runtime.clock.call_later(limit, functools.partial(_end, over))
        try:
            await asyncio.wait((work, over), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _undecided(fid, submission, f"within {limit:g} s")
            return work.result()
        finally:
            if timer is not None:
                timer.cancel()
            work.cancel()
            await asyncio.wait((work,))

    async def _bring_and_wait(self, fid: str, submission: Submission, known: _Known) -> Decision:
        if self._came_before(fid, submission, known.lock):
            return await self._outcome(fid, submission, known)
        if len(known.lock.undecided()) >= MOST_UNDECIDED:
            raise _undecided(fid, submission, "about those that came before")
        reasons = misfits(known.lock.schema, submission.value)
        if reasons:
            raise CandidateInvalid(
                reasons, fid=fid, lid=submission.lid, remedy="correct it, and submit it again"
            )
        if not await self._bring(fid, submission):
            # The lock was settled a moment ago, perhaps by this very candidate that came before.
            known = await self._read(fid, submission.lid)
            if not self._came_before(fid, submission, known.lock):
                raise _closed(fid, known.lock)
        return await self._outcome(fid, submission, known)

    def _came_before(self, fid: str, submission: Submission, lock: LockRecord) -> bool:
        """Whether a candidate of this id is known. Raises LockClosed when none can come now."""
        found = lock.candidate(submission.id)
        if found is None:
            if not lock.open:
                raise _closed(fid, lock)
            return False
        if not found.masked and found.value != submission.value:
            reason = Reason(f"another candidate has the id `{submission.id}` already")
            raise CandidateInvalid((reason,), fid=fid, lid=lock.lid, remedy="give each an id of its own")
        return True

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

    # --- bringing -----------------------------------------------------------------

    async def deliver(self, fid: str, word: str) -> None:
        """Bring the candidate that another process left for a run of this one.

        Returns when it is in the run's journal, or when nobody waits for it any more.
        """
        submission = read_word(word)
        while submission is not None:
            try:
                await self._bring(fid, submission)
            except StoreAway:
                await asyncio.sleep(RETURN_SECONDS)
                continue
            except RunSuspended:
                # Not taken: whoever goes on with the run finds the word once more.
                await asyncio.get_running_loop().create_future()
            except PenstockError as error:
                await self._recovery.give_up(fid, error)
            return

    async def _bring(self, fid: str, submission: Submission) -> bool:
        """Bring a candidate to its run; False when its lock is not open there any more."""
        while True:
            self._runtime.check(fid)
            execution = self._executions.get(fid)
            if execution is None:
                row = await Run(self._runtime, fid).row()
                if row.state.terminal:
                    return False
                if row.owner not in ("", self._store.owner) and await self._store.alive(row.owner):
                    await self._store.signal(fid, submission.to_word())
                    return True
                with contextlib.suppress(RunBusy):  # another process was quicker to claim it
                    await self._recovery.revive(await self._recovery.claim(row), reason=WORD)
            elif execution.stopping:
                await asyncio.wait([execution.ended])
            else:
                taken = execution.locks.take(submission)
                await execution.journal.durable()
                return taken


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
