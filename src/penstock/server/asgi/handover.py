"""What an application streams, on its way to the connection that sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self

HELD_BYTES: Final = 64 << 10
"""So far an application may be ahead of its client before it waits."""


class Handover:
    """Chunks from the task of the application to the task of the connection.

    on_left is called when the connection wants no more, whether all of it was sent or not.
    """

    def __init__(self, on_left: Callable[[], None]) -> None:
        self._on_left = on_left
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._over = False
        self._failure: BaseException | None = None
        self._news: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None

    async def put(self, chunk: bytes) -> None:
        """Returns when the client has nearly caught up, or has left."""
        if chunk:
            self._held.append(chunk)
            self._held_bytes += len(chunk)
            _wake(self._news)
        while self._held_bytes >= HELD_BYTES and not self._over:
            if self._taken is None:
                self._taken = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._taken)

    def finish(self) -> None:
        """That was all."""
        self._over = True
        _wake(self._news)

    def fail(self, failure: BaseException) -> None:
        """There will be no more, and that is wrong."""
        self._failure = failure
        self.finish()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._held:
            if self._failure is not None:
                raise self._failure
            if self._over:
                raise StopAsyncIteration
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        chunk = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._release()
        return chunk

    async def aclose(self) -> None:
        """The connection calls this once it has no use for more."""
        self._over = True
        self._release()
        self._on_left()

    def _release(self) -> None:
        _wake(self._taken)
        self._taken = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
