"""The ledger of a worker: what a run's journal writes into, where the store is the host's."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.core.errors import StoreError
from penstock.executors.subprocess.messages import Answered, Commit, Hold, pack_facts

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

    async def commit(self, batch: Batch) -> None:
        facts = [
            (event.type, event.node, event.data) for events in batch.events.values() for event in events
        ]
        if facts:
            packed, locks = pack_facts(facts), _open_locks(batch)
            await self._ask(lambda number: Commit(number, packed, self._pinned(), locks))

    async def hold(self) -> None:
        await self._ask(Hold)

    async def _ask(self, question: Callable[[int], Commit | Hold]) -> None:
        number = next(self._numbers)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._send(question(number))
        try:
            await answer
        finally:
            del self._asked[number]

    def answered(self, answer: Answered) -> None:
        """Take the host's answer."""
        asked = self._asked.get(answer.number)
        if asked is None or asked.done():
            return
        if answer.refusal:
            asked.set_exception(StoreError(answer.refusal))
        else:
            asked.set_result(None)


def _open_locks(batch: Batch) -> int | None:
    counts = [change.locks for change in batch.changes.values() if isinstance(change.locks, int)]
    return counts[-1] if counts else None
