"""What a program writes to one of its streams: kept whole, and told line by line."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

from penstock.core.errors import NodeError

_LONGEST: Final = 64 * 1024
"""Characters of a line that are told at once; a longer line is told in pieces."""


class Output:
    """One stream. `tell` gets each line as text, without its end, as soon as it is there.

    Bytes that are not UTF-8 are told as U+FFFD; what is kept is untouched.
    """

    def __init__(self, name: str, tell: Callable[[str], None] | None, *, limit: int) -> None:
        self._name = name
        self._tell = tell
        self._limit = limit
        self._kept: list[bytes] = []
        self._size = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    @property
    def data(self) -> bytes:
        return b"".join(self._kept)

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """Take what was read. Raises NodeError `shell.output` beyond the limit."""
        self._size += len(data)
        if self._size > self._limit:
            raise NodeError(
                f"the program wrote more than {self._limit:,} bytes to {self._name}",
                code="shell.output",
                details={"stream": self._name, "max_output_bytes": self._limit},
                remedy="write to a file and pass its path on, or raise `max_output_bytes`",
            )
        self._kept.append(data)
        if self._tell is None:
            return
        *lines, self._line = (self._line + self._decoder.decode(data, final)).split("\n")
        for line in lines:
            self._tell_line(line.removesuffix("\r"))
        while len(self._line) > _LONGEST or (final and self._line):
            self._tell(self._line[:_LONGEST])
            self._line = self._line[_LONGEST:]

    def _tell_line(self, line: str) -> None:
        assert self._tell is not None
        for start in range(0, len(line) or 1, _LONGEST):
            self._tell(line[start : start + _LONGEST])
