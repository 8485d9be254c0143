"""The channel between a host and a worker: messages over a pair of sockets, each behind its length."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from penstock.executors.subprocess.messages import ENCODER, Order, Report

if TYPE_CHECKING:
    import socket

LARGEST_BYTES: Final = 256 * 2**20
"""No message of a worker is longer: what it claims to send must not fill the host's memory."""

_HEAD_BYTES: Final = 8

In = TypeVar("In")


class Garbled(Exception):
    """What came is no message."""


class Channel(Generic[In]):
    """One end of it. `receive` may be cancelled at any moment, and asked again."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: msgspec.msgpack.Decoder[In],
        *,
        largest: int | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = decoder
        self._largest = largest
        self._awaited: int | None = None

    @classmethod
    async def over(
        cls, end: socket.socket, decoder: msgspec.msgpack.Decoder[In], *, largest: int | None = None
    ) -> Channel[In]:
        """A channel over one end of a pair of sockets, which it owns."""
        reader, writer = await asyncio.open_connection(sock=end)
        return cls(reader, writer, decoder, largest=largest)

    def send(self, message: Order | Report) -> None:
        """Send a message; one to who has gone is lost."""
        if not self._writer.is_closing():
            body = ENCODER.encode(message)
            self._writer.write(len(body).to_bytes(_HEAD_BYTES, "big"))
            self._writer.write(body)

    async def receive(self) -> In | None:
        """The next message, or None when the other end has gone. Raises Garbled."""
        try:
            if self._awaited is None:
                size = int.from_bytes(await self._reader.readexactly(_HEAD_BYTES), "big")
                if self._largest is not None and size > self._largest:
                    raise Garbled(f"a message of {size} bytes")
                self._awaited = size
            body = await self._reader.readexactly(self._awaited)
        except (asyncio.IncompleteReadError, OSError):
            return None
        self._awaited = None
        try:
            return self._decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise Garbled(str(error)) from error

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
