"""Forms with files: `multipart/form-data`, as RFC 7578 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.core.errors import RequestRefused
from penstock.core.payload import Payload
from penstock.kinds.http.charset import text_of
from penstock.kinds.http.forms import gather
from penstock.kinds.http.media_type import parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from multipart import MultipartSegment

_MOST_PARTS: Final = 1000


def parse_multipart(data: bytes, content_type: str) -> dict[str, Payload]:
    """The mapping that a form says: texts, and for files {filename, content_type, data}.

    A name that is repeated has a list. Raises RequestRefused for a form that is broken.
    """
    from multipart import MultipartError, ParserLimitReached

    try:
        return gather(
            (part.name or "", _value(part, content))
            for part, content in _parts(data, parameter(content_type, "boundary"))
        )
    except ParserLimitReached as error:
        raise RequestRefused(413, f"the form is too large: {error}") from error
    except MultipartError as error:
        raise RequestRefused(400, f"the form cannot be read: {error}") from error


def _parts(data: bytes, boundary: str) -> Iterator[tuple[MultipartSegment, bytes]]:
    """Each part with its content. All of the form is here, so a content comes in one piece."""
    from multipart import MultipartSegment, PushMultipartParser

    with PushMultipartParser(boundary, max_segment_count=_MOST_PARTS, strict=True) as parser:
        part, content = None, b""
        for event in parser.parse(data):
            if isinstance(event, MultipartSegment):
                part, content = event, b""
            elif event is not None:
                content = bytes(event)
            elif part is not None:
                yield part, content


def _value(part: MultipartSegment, content: bytes) -> Payload:
    """Text, unless the part is a file, or says that it is something else."""
    kind = part.content_type or ""
    if part.filename is not None or (kind and not kind.startswith("text/")):
        return {
            "filename": part.filename or "",
            "content_type": kind or "application/octet-stream",
            "data": content,
        }
    return text_of(content, part.header("Content-Type", ""), f"the field `{part.name:.60}`")
