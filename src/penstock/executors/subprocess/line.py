"""The line before the workers: runs that want one while all are busy, flow by flow in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """Gives out a number of places. Who waits is served in turn with other flows.

    Within a flow the first comes first; among flows each gets one place at a time, so that one
    with ten thousand runs keeps nobody else waiting for long.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(not turn.done() for queue in self._waiting.values() for turn in queue)

    @property
    def free(self) -> bool:
        """Whether a place is to be had at once."""
        return self._free > 0

    @asynccontextmanager
    async def place(self, flow: str) -> AsyncIterator[None]:
        """A section with a place."""
        await self._take(flow)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, flow: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # it came just as nobody wanted it any more
            raise

    def _give_back(self) -> None:
        while self._waiting:
            flow = next(iter(self._waiting))
            queue = self._waiting.pop(flow)
            turn = queue.popleft()
            if queue:
                self._waiting[flow] = queue  # behind all others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
