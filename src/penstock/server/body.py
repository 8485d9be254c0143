"""A request's body on its way from the socket to the handler."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from penstock.core.errors import PenstockError, RequestRefused
from penstock.server.codings import decoded

HIGH_WATER_BYTES: Final = 256 << 10
"""So much may wait for the handler before the socket is read no further."""


class Body:
    """What has come of a body, and where the rest will be put.

    limit_bytes: None for no limit. coding: its Content-Encoding, or "". expecting: the client
    sends it when it is told to go on, which on_wanted does when the handler asks for it.
    on_taken is called whenever the handler took something.
    """

    def __init__(
        self,
        *,
        limit_bytes: int | None,
        coding: str,
        expecting: bool,
        on_wanted: Callable[[], None],
        on_taken: Callable[[], None],
    ) -> None:
        self.complete = False
        self.expecting = expecting
        self._limit_bytes = limit_bytes
        self._coding = coding
        self._on_wanted = on_wanted
        self._on_taken = on_taken
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0
        self._received_bytes = 0
        self._wanted = False
        self._dropped = False
        self._failure: PenstockError | None = None
        self._news: asyncio.Future[None] | None = None

    @property
    def full(self) -> bool:
        """Whether more should not be read from the socket for now."""
        return self._held_bytes >= HIGH_WATER_BYTES

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for the client to send more."""
        return self._dropped or self._news is not None

    def feed(self, data: bytes) -> None:
        """Raises RequestRefused 413 when this is too much."""
        self.expecting = False  # it did not wait
        self._received_bytes += len(data)
        if self._limit_bytes is not None and self._received_bytes > self._limit_bytes:
            raise RequestRefused(413, f"the body is larger than {self._limit_bytes} bytes")
        if not self._dropped:
            self._chunks.append(data)
            self._held_bytes += len(data)
            self._tell()

    def finish(self) -> None:
        """All of it has come."""
        self.complete = True
        self._tell()

    def fail(self, failure: PenstockError) -> None:
        """No more will come. Whoever wants the rest gets this error."""
        if self._failure is None:
            self._failure = failure
            self._tell()

    def drop(self) -> None:
        """Nobody wants it any more: what still comes is thrown away."""
        self._dropped = True
        self._chunks.clear()
        self._held_bytes = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """See Request.stream."""
        if self._wanted:
            raise RuntimeError("the body was streamed before: it comes only once")
        self._wanted = True
        if self.expecting:
            self.expecting = False
            self._on_wanted()
        if self._coding:
            async for piece in decoded(self._raw(), self._coding, self._limit_bytes):
                yield piece
            return
        async for chunk in self._raw():
            yield chunk

    async def _raw(self) -> AsyncIterator[bytes]:
        while True:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._held_bytes -= len(chunk)
                self._on_taken()
                yield chunk
            elif self._failure is not None:
                raise self._failure
            elif self.complete:
                return
            else:
                self._news = asyncio.get_running_loop().create_future()
                try:
                    await self._news
                finally:
                    self._news = None

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
