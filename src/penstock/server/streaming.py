"""Bodies that are sent as they come."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Final

from penstock.core.errors import ClientGone
from penstock.server.codings import Encoder
from penstock.server.outflow import Outflow

if TYPE_CHECKING:
    import asyncio

_LAST_CHUNK: Final = b"0\r\n\r\n"


async def pour(
    chunks: AsyncIterable[bytes],
    transport: asyncio.WriteTransport,
    outflow: Outflow,
    *,
    coding: str,
    chunked: bool,
    length: int | None,
) -> None:
    """Send chunks, each when the client has taken what was sent before.

    Raises ClientGone, ValueError when they are more or less than `length` bytes, and whatever
    the chunks raise. Where they come from is closed in any case.
    """
    encoder = Encoder(coding) if coding else None
    sent = 0

    def send(data: bytes) -> None:
        if data:
            transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

    try:
        async for chunk in chunks:
            if outflow.full:
                await outflow.drained()
            if transport.is_closing():
                raise ClientGone("the client left before it had the whole answer")
            sent += len(chunk)
            if length is not None and sent > length:
                break
            send(encoder.chunk(chunk) if encoder else chunk)
        if length is not None and sent != length:
            raise ValueError(f"the body has {'more' if sent > length else 'less'} bytes than {length}")
        if encoder:
            send(encoder.finish())
        if chunked:
            transport.write(_LAST_CHUNK)
    finally:
        await dismiss(chunks)


async def dismiss(chunks: AsyncIterable[bytes]) -> None:
    """Tell a generator that nobody wants the rest."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
