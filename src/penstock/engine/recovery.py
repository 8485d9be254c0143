"""Bringing runs back: those that a dead process left behind, and those that waited.

A run is rebuilt by replaying its journal. However many are due at once, only so many are
in memory at a time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from penstock.core.errors import PenstockError, RunBusy, StoreAway, StoreError
from penstock.core.events import EventType
from penstock.core.states import RunState
from penstock.core.store import RunChange, RunRow
from penstock.engine.execution import Execution
from penstock.engine.journal import Journal
from penstock.engine.locks.initial import given_by
from penstock.engine.observer import Outcome, Subject
from penstock.engine.replay import Replay
from penstock.engine.sleepers import Sleepers

if TYPE_CHECKING:
    from penstock.engine.runtime import Runtime

RESIDENT: Final = 1000
"""How many runs may be in memory before those that wait leave it, and others wait to return."""

RETURN_SECONDS: Final = 1.0
"""How often it is tried whether a store that went away is back."""


class Recovery:
    """The runs of a runtime that are not in memory but will be."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._clock = runtime.clock
        self._sleepers = Sleepers(runtime.clock, self._is_due)
        self._due: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._reviving: dict[str, asyncio.Future[None]] = {}

    def holds(self, fid: str) -> bool:
        """Whether a run will be brought back here by itself."""
        return fid in self._sleepers or fid in self._due

    def put_aside(self, fid: str, until: float) -> None:
        """Bring a run back at `until`, in epoch seconds, or when somebody brings it a candidate."""
        self._sleepers.add(fid, until)

    def await_store(self, fid: str) -> None:
        """Bring a run back as soon as the store, which went away under it, is there again."""
        self.put_aside(fid, self._clock.now() + RETURN_SECONDS)

    def abandon(self) -> list[str]:
        """Forget all runs that were to be brought back; which ones."""
        fids = [*self._sleepers.clear(), *self._due]
        self._due.clear()
        return fids

    def has_room(self) -> None:
        """A run left memory."""
        self._room.set()

    def close(self) -> None:
        """Bring nothing back any more."""
        self._sleepers.close()
        self._due.clear()

    # --- claiming -----------------------------------------------------------------

    async def claim_all(self, fids: Sequence[str] | None = None) -> list[str]:
        """Take the unfinished runs that no live runtime owns, or those of `fids`, oldest first."""
        rows = await self._store.claim(fids)
        now = self._clock.now()
        for row in rows:
            wake_at = math.inf if row.wake_at is None else row.wake_at
            if row.state is RunState.WAITING and wake_at > now:
                self._sleepers.add(row.fid, wake_at)
            else:
                self._is_due(row.fid)
        return [row.fid for row in rows]

    async def claim(self, row: RunRow) -> RunRow:
        """Make a run this runtime's own. Raises RunBusy when another live one has it."""
        if row.owner == self._store.owner:
            return row
        claimed = await self._store.claim([row.fid])
        if not claimed:
            raise RunBusy(
                f"run `{row.fid}` is executed by another process",
                remedy=f"`penstock runs watch {row.fid}` follows it, "
                f"`penstock runs cancel {row.fid}` ends it",
            )
        return claimed[0]

    # --- bringing back ------------------------------------------------------------

    async def revive(self, row: RunRow, *, reason: str = "") -> None:
        """Rebuild a run from its journal and go on with it; once, however many want it to.

        reason: why, where it is not for its timer or because who executed it is gone.
        """
        fid = row.fid
        while (other := self._reviving.get(fid)) is not None:
            await asyncio.wait([other])
        if self._runtime.is_live(fid):
            return
        done = self._reviving[fid] = asyncio.get_running_loop().create_future()
        try:
            await self._revive(row, reason)
        finally:
            del self._reviving[fid]
            done.set_result(None)

    async def _revive(self, row: RunRow, reason: str) -> None:
        self._sleepers.discard(row.fid)
        events = await self._store.events(row.fid)
        if events[-1].terminal:  # it went on and ended while this one waited its turn
            return
        flow = await self._runtime.revisions.of(row)
        await self._runtime.revisions.prepare(flow, load=self._runtime.executors.here(flow))
        journal = self._runtime.journal(row.fid, flow, seq=events[-1].seq)
        reason = reason or ("timer" if row.state is RunState.WAITING else "recovery")
        journal.emit(EventType.RUN_RESUMED, "", {"reason": reason})
        journal.change(state=RunState.RUNNING, wake_at=None)
        restarts = [
            event.data
            for event in events
            if event.type == EventType.RUN_RESUMED and "restart" in event.data
        ]
        self._runtime.execute(
            flow,
            journal,
            given_by(events),
            started=events[0].time,
            replay=Replay.fold(events),
            restarts=len(restarts),
            not_before=restarts[-1].get("until", 0.0) if restarts else 0.0,
            trace=events[0].data.get("trace", ""),
        )

    async def end_cancelled(self, row: RunRow, reason: str) -> None:
        """End a run that is not in memory, without bringing it back for that."""
        self._sleepers.discard(row.fid)
        events = await self._store.events(row.fid)
        journal = Journal(row.fid, self._runtime.committer, self._clock, seq=events[-1].seq)
        Execution.end_cancelled(journal, events[0].time, reason)
        await journal.durable()
        if self._runtime.observer is not None:
            subject = Subject("", row.flow, row.fid)
            seconds = self._clock.now() - events[0].time
            self._runtime.observer.run_ended(subject, Outcome.CANCELLED, seconds, None)

    def _is_due(self, fid: str) -> None:
        self._due[fid] = None
        if self._task is None or self._task.done():
            self._task = self._runtime.own(self._bring_back(), "penstock:recovery")

    async def _bring_back(self) -> None:
        while self._due:
            if self._runtime.resident >= RESIDENT:
                self._room.clear()
                await self._room.wait()
                continue
            fid = next(iter(self._due))
            try:
                await self._bring_back_one(fid)
            except StoreAway:
                await asyncio.sleep(RETURN_SECONDS)  # the others would meet with the same
                continue
            self._due.pop(fid, None)
            await asyncio.sleep(0)  # the loop belongs to those that run, too

    async def _bring_back_one(self, fid: str) -> None:
        """A run that cannot be brought back stays as it is; its row keeps the reason."""
        try:
            row = await self._store.run(fid)
            if self._runtime.is_live(fid):
                return
            if row is None or row.state.terminal or row.owner != self._store.owner:
                self._runtime.wake_waiters(fid)  # it has ended, or another runtime has it
                return
            try:
                await self.revive(row)
            except StoreError:
                raise
            except PenstockError as error:
                await self.give_up(fid, error)
        except StoreAway:
            raise
        except StoreError as error:
            self._runtime.gave_up(fid, error)

    async def give_up(self, fid: str, error: PenstockError) -> None:
        """Keep in the run's row why it cannot go on here, and tell whoever waits for it."""
        self._runtime.committer.changes[fid] = RunChange(fid=fid, error=error.message)
        await self._runtime.committer.committed()
        self._runtime.gave_up(fid, error)
