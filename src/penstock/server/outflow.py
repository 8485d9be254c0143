"""Back-pressure of a client that reads slowly."""

from __future__ import annotations

import asyncio


class Outflow:
    """Whether the socket takes more, told by the transport; whoever writes can wait for it."""

    __slots__ = ("_free", "full")

    def __init__(self) -> None:
        self.full = False
        self._free: asyncio.Future[None] | None = None

    def pause(self) -> None:
        self.full = True

    def resume(self) -> None:
        self.full = False
        if self._free is not None and not self._free.done():
            self._free.set_result(None)
        self._free = None

    async def drained(self) -> None:
        """Wait until the socket takes more."""
        while self.full:
            if self._free is None:
                self._free = asyncio.get_running_loop().create_future()
            # Several may wait; one that is cancelled must not take the others along.
            await asyncio.shield(self._free)
