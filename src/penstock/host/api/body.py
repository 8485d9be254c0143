"""The body of a request, read as JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from penstock.api.problem import Fault
from penstock.core.problems import to_pointer
from penstock.host.api.operation import JSON
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
FORMS: Final = (URLENCODED, MULTIPART)
"""What browsers send of a form."""

BODY_BYTES: Final = 16 << 20
"""A JSON body may be this long. Files are uploaded."""


def media_type(request: Request) -> str:
    """What a request says that its body is, without parameters; JSON where it says nothing."""
    return request.headers.get("content-type", JSON).partition(";")[0].strip().lower()


async def read(request: Request, limit: int = BODY_BYTES) -> bytes:
    """The whole body. Raises Refused with status 413 when it is too long, or is said to be."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise _too_long(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_long(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_long(limit: int) -> Refused:
    return Refused(413, f"the body is longer than {limit} bytes", kind="too-large")


async def read_json(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as the decoder's type; none at all is `{}`.

    Raises Refused with status 400, 413, 415 or 422.
    """
    data, kind = await read(request), media_type(request)
    if data and kind != JSON and not kind.endswith("+json"):
        raise Refused(415, f"the body is `{kind}`; send {JSON}", kind="media-type")
    try:
        return decoder.decode(data or b"{}")
    except msgspec.ValidationError as error:
        where, what = located(error)
        fault = Fault(detail=what, pointer=to_pointer(where))
        raise Refused(422, what, kind="invalid-body", faults=[fault]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {error}", kind="malformed-body") from None


_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_PART: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def located(error: msgspec.ValidationError) -> tuple[tuple[str, ...], str]:
    """Where msgspec found something wrong, and what."""
    found = _AT.match(str(error))
    assert found is not None
    parts = tuple(name or number for name, number in _PART.findall(found["path"] or ""))
    return parts, found["what"]
