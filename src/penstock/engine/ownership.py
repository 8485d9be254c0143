"""Ownership: which runs are this runtime's, as far as the store and other processes have a say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from penstock.core.errors import StoreError, StoreLost
from penstock.core.store import Shift
from penstock.engine.execution import Stop
from penstock.engine.locks.candidate import WORD as CANDIDATE

if TYPE_CHECKING:
    from penstock.engine.execution import Execution
    from penstock.engine.locks.carrier import Carrier
    from penstock.engine.recovery import Recovery
    from penstock.engine.runtime import Runtime

CLAIM_SECONDS: Final = 1.0
"""After a claim that failed, when it is tried again."""


class Ownership:
    """Follows what the store says: words for runs of this runtime, runs lost, and runs to be had.

    executions: those in memory, by fid. take_all: go on with every run that nobody owns, and
    not only with those that were lost here.
    """

    def __init__(
        self,
        runtime: Runtime,
        recovery: Recovery,
        *,
        executions: Mapping[str, Execution],
        carrier: Carrier,
        take_all: bool,
    ) -> None:
        self._runtime = runtime
        self._recovery = recovery
        self._executions = executions
        self._carrier = carrier
        self._take_all = take_all
        self._lost: set[str] = set()
        self._following = False

    def follow(self) -> None:
        """Begin to follow, where the store has something to say."""
        if self._runtime.store.durable and not self._following:
            self._following = True
            self._runtime.own(self._follow_signals(), "penstock:signals")
            self._runtime.own(self._follow_shifts(), "penstock:shifts")

    async def _follow_signals(self) -> None:
        async for fid, signal in self._runtime.store.signals():
            word, _, reason = signal.partition(" ")
            if word == "cancel":
                self._runtime.own(self._runtime.cancel(fid, reason), f"penstock:cancel:{fid}")
            elif word == CANDIDATE:
                # Waited for: the word is kept until the candidate is in the run's journal.
                await self._carrier.deliver(fid, signal)

    async def _follow_shifts(self) -> None:
        async for shift in self._runtime.store.shifts():
            if shift is Shift.LOST:
                await self._stop_all()
            while not await self._claim_what_is_free():  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(CLAIM_SECONDS)

    async def _stop_all(self) -> None:
        """Stop every recorded run: each may be another runtime's now."""
        lost = StoreLost("this runtime was taken for dead, and its runs may be another's")
        executions = [each for each in self._executions.values() if not each.journal.silent]
        for execution in executions:
            execution.journal.failed = lost
            execution.stop(Stop.BROKEN)
        fids = [*self._recovery.abandon(), *(execution.journal.fid for execution in executions)]
        self._lost.update(fids)
        await asyncio.gather(*(execution.ended for execution in executions), return_exceptions=True)
        for fid in fids:
            self._runtime.wake_waiters(fid)

    async def _claim_what_is_free(self) -> bool:
        """Go on with what nobody has; False when the store fails."""
        try:
            if self._take_all:
                await self._recovery.claim_all()
            elif self._lost:
                await self._recovery.claim_all(list(self._lost))
        except StoreError:
            return False
        self._lost.clear()
        return True
