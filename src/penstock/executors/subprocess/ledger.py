"""The ledger of a worker: what a run's journal writes into, where the store is the host's."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.core.errors import StoreError
from penstock.executors.subprocess.facts import pack_facts
from penstock.executors.subprocess.messages import Answered, Commit, Hold

if TYPE_CHECKING:
    from penstock.core.store import Batch


class RemoteLedger:
    """Hands events to the host, and asks it before every effect.

    Of what a commit changes in the run's row, only the number of open locks is sent: the host
    derives the rest from the events, and has the last word. pinned: whether the run holds what
    would be lost with its memory.
    """

    held = False
    """Never certain: the host may have put the run aside, or lost it, a moment ago."""

    def __init__(self, send: Callable[[Commit | Hold], None], *, pinned: Callable[[], bool]) -> None:
        self._send = send
        self._pinned = pinned
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._committing: asyncio.Future[None] | None = None
        self._over = False

    async def commit(self, batch: Batch) -> None:
        facts = [
            (event.type, event.node, event.data) for events in batch.events.values() for event in events
        ]
        if facts:
            number, answer = self._expect()
            self._send(Commit(number, pack_facts(facts), self._pinned(), _open_locks(batch)))
            if not self._over:
                self._committing = answer
                await answer

    async def hold(self) -> None:
        number, answer = self._expect()
        self._send(Hold(number))
        await answer

    def finish(self) -> None:
        """Wait for no commit any more: the outcome follows at once, and the host waits for the disk."""
        self._over = True
        if self._committing is not None and not self._committing.done():
            self._committing.set_result(None)

    def answered(self, answered: Answered) -> None:
        """Take the host's answer."""
        answer = self._asked.pop(answered.number, None)
        if answer is None or answer.done():
            return
        if answered.refusal:
            answer.set_exception(StoreError(answered.refusal))
        else:
            answer.set_result(None)

    def _expect(self) -> tuple[int, asyncio.Future[None]]:
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        return number, answer


def _open_locks(batch: Batch) -> int | None:
    counts = [change.locks for change in batch.changes.values() if isinstance(change.locks, int)]
    return counts[-1] if counts else None
