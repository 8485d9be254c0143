"""The way of a candidate into the journal of its run, wherever that is executed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from penstock.core.errors import PenstockError, RunBusy, RunSuspended, StoreAway
from penstock.engine.locks.candidate import WORD, Submission, read_word
from penstock.engine.recovery import RETURN_SECONDS
from penstock.engine.run import Run

if TYPE_CHECKING:
    from penstock.core.store import RunRow
    from penstock.engine.execution import Execution
    from penstock.engine.recovery import Recovery
    from penstock.engine.runtime import Runtime

BUSY_SECONDS: Final = 0.05
"""How soon it is looked again who has a run that could not be claimed."""

LOOK_SECONDS: Final = 2.0
"""How often whoever waits looks whether the process that executes the run still lives."""


class Carrier:
    """Brings candidates to runs that are executed here, by another process, or by nobody just now.

    executions: those in memory, by fid.
    """

    def __init__(
        self, runtime: Runtime, *, executions: Mapping[str, Execution], recovery: Recovery
    ) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._executions = executions
        self._recovery = recovery

    async def bring(self, fid: str, submission: Submission) -> bool:
        """Bring a candidate to its run; False when its lock is not open there any more.

        To bring the same one again does no harm. Raises what keeps the run from going on.
        """
        while True:
            self._runtime.check(fid)
            execution = self._executions.get(fid)
            if execution is None:
                row = await Run(self._runtime, fid).row()
                if row.state.terminal:
                    return False
                if await self._is_anothers(row):
                    await self._store.signal(fid, submission.to_word())
                    return True
                try:
                    await self._recovery.revive(await self._recovery.claim(row), reason=WORD)
                except RunBusy:  # another process was quicker, and will be seen to have it
                    await asyncio.sleep(BUSY_SECONDS)
            elif execution.stopping:
                await asyncio.wait([execution.ended])
            else:
                taken = execution.locks.take(submission)
                await execution.journal.durable()
                return taken

    async def carry(self, fid: str, submission: Submission) -> None:
        """Bring a candidate, and again whenever who executes the run dies before it has decided.

        Returns when the lock is not open any more; otherwise whoever waits cancels this.
        """
        while await self.bring(fid, submission):
            while await self._is_in_hands(fid):  # noqa: ASYNC110 - a death tells nobody
                await asyncio.sleep(LOOK_SECONDS)

    async def deliver(self, fid: str, word: str) -> None:
        """Bring the candidate that another process left for a run of this one.

        Returns when it is in the run's journal, or when nobody waits for it any more.
        """
        submission = read_word(word)
        while submission is not None:
            try:
                await self.bring(fid, submission)
            except StoreAway:
                await asyncio.sleep(RETURN_SECONDS)
                continue
            except RunSuspended:
                # Not taken: whoever goes on with the run finds the word once more.
                await asyncio.get_running_loop().create_future()
            except PenstockError as error:
                await self._recovery.give_up(fid, error)
            return

    async def _is_in_hands(self, fid: str) -> bool:
        """Whether a process has the run, this or another one, so that it needs no reminder."""
        if fid in self._executions or self._recovery.holds(fid):
            return True
        return await self._is_anothers(await Run(self._runtime, fid).row())

    async def _is_anothers(self, row: RunRow) -> bool:
        """Whether another process that lives executes the run."""
        return row.owner not in ("", self._store.owner) and await self._store.alive(row.owner)
