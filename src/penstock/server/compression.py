"""Whether an answer is compressed: what the client can read, and what gains by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from penstock.server.codings import PIECE_BYTES, preferred
from penstock.server.messages import Request, Response

_TYPES: Final = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/rtf",
        "application/wasm",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/yaml",
        "image/bmp",
        "image/svg+xml",
    }
)


def _gains(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    if essence == "text/event-stream":  # each event is small, and wanted at once
        return False
    return essence.startswith("text/") or essence in _TYPES or essence.endswith(("+json", "+xml"))


def negotiate(request: Request, response: Response) -> tuple[Response, str]:
    """The answer with the headers that its coding asks for, and the coding; "" for none.

    The body is left as it is. Where the answer could have been compressed, `Vary` says so even
    when it is not: a cache must not give it to everyone.
    """
    fields = {name.lower(): value for name, value in response.headers}
    if (
        response.status in {204, 206, 304}
        or "content-encoding" in fields
        or "no-transform" in fields.get("cache-control", "").lower()
        or not _gains(fields.get("content-type", ""))
    ):
        return response, ""
    coding = preferred(request.header("accept-encoding"))
    headers = [("Vary", _vary(response))]
    for name, value in response.headers:
        folded = name.lower()
        if coding and folded == "etag" and not value.startswith("W/"):
            value = f"W/{value}"  # the same to read, and not the same bytes
        if folded != "vary" and not (coding and folded == "content-length"):
            headers.append((name, value))
    if coding:
        headers.append(("Content-Encoding", coding))
    return Response(response.status, headers, response.body), coding


def _vary(response: Response) -> str:
    named = [value for name, value in response.headers if name.lower() == "vary"]
    known = {item.strip().lower() for value in named for item in value.split(",")}
    return ", ".join(named if known & {"accept-encoding", "*"} else [*named, "Accept-Encoding"])


async def slices(body: bytes) -> AsyncIterator[bytes]:
    """A large body in pieces: others go on while it is compressed."""
    import asyncio

    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
        await asyncio.sleep(0)
