"""Downloads: a file as an answer, whole or in ranges, or the word that nothing has changed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from penstock.host.files.errand import errand
from penstock.host.files.media_types import PROTECTION, disposition, media_type
from penstock.host.files.ranges import Range, Unsatisfiable, read_ranges
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from penstock.host.files.run_files import OpenFile

_PIECE_BYTES: Final = 256 << 10


class Download(Response):
    """Answers a GET or a HEAD with an open file, and closes it.

    What the client has already is not sent again (`If-None-Match`, `If-Modified-Since`); with
    `Range` a GET gets a part, or several, unless the file is another one than `If-Range` says.
    Raises Refused with status 416, and the file is closed, when it has none of those bytes.
    """

    def __init__(self, opened: OpenFile, request: Request) -> None:
        super().__init__()
        self._opened = opened
        self._kind = media_type(opened.name)
        self._boundary = ""
        self.raw_headers = []  # the length of no body is not that of the file
        self.headers["etag"] = f'"{opened.tag}"'
        self.headers["last-modified"] = formatdate(opened.modified, usegmt=True)
        self.headers["accept-ranges"] = "bytes"
        # Compressed, it could not be cut into ranges, nor taken up again.
        self.headers["cache-control"] = "private, no-cache, no-transform"
        for name, value in PROTECTION:
            self.headers[name] = value
        if self._is_known(request.headers):
            self.status_code, self._ranges = 304, []
        else:
            self._ranges = self._wanted(request)
            self._describe()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if scope["method"] != "HEAD":
                for head, part in self._pieces():
                    if head:
                        await send({"type": "http.response.body", "body": head, "more_body": True})
                    for piece in _cut(part):
                        data = await errand(lambda: self._read(piece))  # noqa: B023 - awaited at once
                        await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._opened.content.close()

    def _is_known(self, headers: Headers) -> bool:
        """Whether the client has the file as it is."""
        tags = headers.get("if-none-match")
        if tags is not None:
            known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return "*" in known or self.headers["etag"] in known
        return _is_since(headers.get("if-modified-since", ""), self._opened.modified)

    def _wanted(self, request: Request) -> list[Range]:
        """The parts that a client wants of the file that it knows; none is all of it."""
        condition = request.headers.get("if-range")
        own = (None, self.headers["etag"], self.headers["last-modified"])
        if request.method != "GET" or condition not in own:
            return []
        try:
            return read_ranges(request.headers.get("range", ""), self._opened.size_bytes)
        except Unsatisfiable:
            self._opened.content.close()
            size = self._opened.size_bytes
            raise Refused(
                416,
                f"the file has {size} bytes, and none of those",
                kind="range",
                headers=(("Content-Range", f"bytes */{size}"),),
            ) from None

    def _describe(self) -> None:
        """Say what the answer is, how long, and which part of the file it has."""
        self.headers["content-disposition"] = disposition(self._opened.name)
        self.headers["content-type"] = self._kind
        if self._ranges:
            self.status_code = 206
        if len(self._ranges) == 1:
            self.headers["content-range"] = self._place(self._ranges[0])
        elif self._ranges:
            self._boundary = secrets.token_hex(16)
            self.headers["content-type"] = f"multipart/byteranges; boundary={self._boundary}"
        length = sum(len(head) + part.end - part.start for head, part in self._pieces())
        self.headers["content-length"] = str(length)

    def _pieces(self) -> Iterator[tuple[bytes, Range]]:
        """What is sent: parts of the file, each with what stands before it."""
        if self._boundary:
            for part in self._ranges:
                head = f"\r\n--{self._boundary}\r\nContent-Type: {self._kind}\r\n"
                yield f"{head}Content-Range: {self._place(part)}\r\n\r\n".encode(), part
            yield f"\r\n--{self._boundary}--\r\n".encode(), Range(0, 0)
        elif self._ranges:
            yield b"", self._ranges[0]
        elif self.status_code == 200:
            yield b"", Range(0, self._opened.size_bytes)

    def _place(self, part: Range) -> str:
        return f"bytes {part.start}-{part.end - 1}/{self._opened.size_bytes}"

    def _read(self, piece: Range) -> bytes:
        """A piece of the file. Raises EOFError when the file has become shorter meanwhile."""
        wanted = piece.end - piece.start
        data = os.pread(self._opened.content.fileno(), wanted, piece.start)
        if len(data) < wanted:  # the client must not take it for whole
            raise EOFError(f"`{self._opened.name}` became shorter while it was sent")
        return data


def _cut(part: Range) -> Iterator[Range]:
    for start in range(part.start, part.end, _PIECE_BYTES):
        yield Range(start, min(start + _PIECE_BYTES, part.end))


def _is_since(header: str, modified: float) -> bool:
    """Whether nothing has changed since the date in a header; dates know whole seconds."""
    try:
        return int(modified) <= parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False
