"""Forms with files, as they come in: nothing of a file is kept in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

_PARTS: Final = 1000
_HEAD_BYTES: Final = 8 << 10


async def parts(request: Request) -> AsyncIterator[MultipartSegment | bytes | None]:
    """The parts of a form: of each its head, its content in pieces, and None at its end.

    Raises Refused: with status 400 for a form that is broken, with 413 for too many parts.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get("boundary", "")
    if not boundary:
        raise Refused(400, "the form's Content-Type names no boundary", kind="malformed-body")
    try:
        with PushMultipartParser(
            boundary, max_header_size=_HEAD_BYTES, max_segment_count=_PARTS, strict=True
        ) as parser:
            async for chunk in request.stream():
                for found in parser.parse(chunk):
                    yield bytes(found) if isinstance(found, bytearray) else found
    except ParserLimitReached as error:
        raise Refused(413, f"the form is too large: {error}", kind="too-large") from error
    except MultipartError as error:
        raise Refused(400, f"the form cannot be read: {error}", kind="malformed-body") from error
