"""The head of a response: what can be known before its body, made once and kept."""

from __future__ import annotations

import re
from typing import Final

from penstock.server.messages import Headers
from penstock.server.problem import title

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
_BODILESS: Final = frozenset({101, 204, 304})

_KEPT: Final = 512
"""So many heads are remembered; programs have few, and whoever has more gains nothing by it."""

_LARGE_BYTES: Final = 2048


class Head:
    """The status line and headers of a response, encoded, without date and framing.

    plain: it wants no more than a date and the length of the body. dated: it brings a date.
    bodiless: its status has no body. closes: the handler wants the connection to end.
    length: the Content-Length that the handler gave.
    """

    __slots__ = ("bodiless", "closes", "dated", "length", "plain", "start")

    def __init__(self, status: int, headers: Headers) -> None:
        """Raises ValueError where the headers could not be sent, or would be read as something else."""
        if not 200 <= status <= 599 and status != 101:
            raise ValueError(f"{status} is no status of an answer; use 200 to 599")
        names: dict[str, str] = {}
        lines = [f"HTTP/1.1 {status} {title(status)}\r\n"]
        for name, value in headers:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a header")
            if not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name} has a line break or another unfit character")
            folded = name.lower()
            names[folded] = value
            if folded not in _FRAMING:
                lines.append(f"{name}: {value}\r\n")
        self.start = "".join(lines).encode("latin-1")
        self.bodiless = status in _BODILESS
        self.dated = "date" in names
        self.closes = names.get("connection", "").lower() == "close"
        length = names.get("content-length", "")
        self.length = int(length) if length.isascii() and length.isdigit() else None
        self.plain = not (self.bodiless or self.dated or self.closes)

    def frame(
        self, *, date: bytes, version: str, last: bool, length: int | None, chunked: bool
    ) -> bytes:
        """All that comes before the body. date: the line that says it."""
        lines = [self.start]
        if not self.dated:
            lines.append(date)
        if last:
            lines.append(b"Connection: close\r\n")
        elif version == "1.0":
            lines.append(b"Connection: keep-alive\r\n")
        if chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        elif length is not None and not self.bodiless:
            lines.append(b"Content-Length: %d\r\n" % length)
        lines.append(b"\r\n")
        return b"".join(lines)


class Heads(dict[tuple[int, tuple[tuple[str, str], ...]], Head]):
    """Heads by status and headers. Asking for one that is missing makes it."""

    def __missing__(self, key: tuple[int, tuple[tuple[str, str], ...]]) -> Head:
        head = Head(*key)
        if len(head.start) <= _LARGE_BYTES:
            if len(self) >= _KEPT:
                self.clear()
            self[key] = head
        return head
