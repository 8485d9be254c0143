"""What a worker prints past the engine: from C code, a crash, a program it started."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

LONGEST_LINE: Final = 8 * 1024
"""Bytes after which a line that does not end is passed on in pieces."""

MOST_BYTES: Final = 2**20
"""What is kept of one stream of one run; a journal is no place for more."""

_LINE_BYTES: Final = 100
"""What a line costs beside its text: it is an event of its own."""

_PATIENCE_SECONDS: Final = 1.0
"""How long the end of the output is waited for; a program in the background may hold it open."""


class Output:
    """One stream of a worker. What comes is of the run that it executes, and else of nobody.

    last: the last line of the run that says something.
    """

    def __init__(self) -> None:
        self._begun = b""
        self._take: Callable[[str], None] | None = None
        self._mark = b""
        self._left = 0
        self.last = ""
        self._over = asyncio.Event()
        self._ended = False

    def follow(self, take: Callable[[str], None], mark: bytes) -> None:
        """Pass lines on, until a line that consists of the mark."""
        self._take, self._mark, self._left, self._begun = take, mark, MOST_BYTES, b""
        self.last = ""
        if not self._ended:
            self._over.clear()

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(self._begun) > LONGEST_LINE:
            line, self._begun = self._begun[:LONGEST_LINE], self._begun[LONGEST_LINE:]
            self._line(line)

    def end(self) -> None:
        """The stream has ended."""
        if self._begun:
            self._line(self._begun)
        self._begun, self._ended = b"", True
        self._over.set()

    async def finish(self) -> None:
        """Return when all lines of the run have been passed on; follow it no longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._over.wait()
        self._take = None

    def _line(self, line: bytes) -> None:
        if self._mark and line.endswith(self._mark):
            line = line.removesuffix(self._mark)
            self._over.set()
            if not line:
                return
        if self._take is None or self._left <= 0:
            return
        self._left -= len(line) + _LINE_BYTES
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        self.last = text.strip() or self.last
        self._take(text)
        if self._left <= 0:
            self._take("… it went on, and what came then is not kept")
