"""A websocket on the wire. The `websockets` library does the grammar of RFC 6455 and 7692."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from penstock.core.errors import ClientGone
from penstock.server.handshake import shake_hands
from penstock.server.messages import Request, Upgrade
from penstock.server.outflow import Outflow
from penstock.server.service import LOG, Service
from penstock.server.websocket import WebSocket

_GOODBYE_SECONDS: Final = 5.0
_HIGH_WATER_BYTES: Final = 256 << 10
_HIGH_WATER_MESSAGES: Final = 64
_REASON_BYTES: Final = 123

_PIECE_BYTES: Final = 4096
"""So much is parsed at a time: compressed messages may be a thousand times larger inside."""


class Conversation(asyncio.Protocol):
    """Takes a connection over from HTTP, and runs `converse` as its task.

    Raises what shake_hands raises.
    """

    def __init__(self, service: Service, request: Request, upgrade: Upgrade) -> None:
        self._protocol = shake_hands(request, upgrade)
        self._service = service
        self._request = request
        self._upgrade = upgrade
        self._socket = WebSocket(self, request)
        self._outflow = Outflow()
        self._messages: deque[str | bytes] = deque()
        self._held_bytes = 0
        self._unread = bytearray()  # has come, and waits until messages are taken
        self._message = bytearray()  # fragments of the next one
        self._is_text = False
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._deaf = False  # nobody will ask for another message
        self._ended = False  # nothing more will come
        self._paused = False
        self._cut = False
        self._heard = service.now
        self._pinged = False
        self._closing_since: float | None = None
        self._unsent_bytes = 0
        self._unsent_since = service.now

    def begin(self, transport: asyncio.Transport, rest: bytes) -> None:
        """Go on with the transport. rest: what came after the handshake."""
        self._transport = transport
        transport.set_protocol(self)
        self._flush()
        self._service.join(self)
        name = f"websocket {self._request.raw_path}"
        self._task = asyncio.get_running_loop().create_task(self._converse(), name=name)
        self._task.add_done_callback(self._conversed)
        if self._service.retiring:
            self.retire()
        if rest:
            self.data_received(rest)

    async def _converse(self) -> None:
        try:
            await self._upgrade.converse(self._socket)
        except ClientGone:
            code = 1000
        except Exception as error:
            LOG.error("the websocket at %s failed", self._request.raw_path, exc_info=error)
            code = 1011
        else:
            code = 1000
        self._say_goodbye(code)

    def _conversed(self, task: asyncio.Task[None]) -> None:
        self._deaf = True
        self._messages.clear()
        self._held_bytes = 0
        self._read_on()
        if task.cancelled() or task.exception():
            self._transport.abort()
        if self._over.is_set():
            self._service.leave(self)

    # The transport calls these.

    def data_received(self, data: bytes) -> None:
        self._heard = self._service.now
        self._pinged = False
        self._unread += data
        self._read_on()

    def eof_received(self) -> None:
        self._ended = True
        self._read_on()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - how it was lost is all one
        self._ended = True
        self._over.set()
        self._outflow.resume()
        self._read_on()
        self._news.set()
        if self._task.done():
            self._service.leave(self)

    def pause_writing(self) -> None:
        self._outflow.pause()

    def resume_writing(self) -> None:
        self._outflow.resume()

    # The websocket calls these.

    @property
    def subprotocol(self) -> str:
        return self._protocol.subprotocol or ""

    @property
    def closed(self) -> bool:
        return self._ended or self._protocol.state is not State.OPEN

    @property
    def close_code(self) -> int | None:
        if self._protocol.close_rcvd is not None:
            return self._protocol.close_rcvd.code
        return 1006 if self._protocol.state is State.CLOSED else None

    @property
    def close_reason(self) -> str:
        return self._protocol.close_rcvd.reason if self._protocol.close_rcvd else ""

    async def next_message(self) -> str | bytes | None:
        """The next message, or None when there will be none."""
        while not self._messages:
            if self.closed:
                return None
            self._news.clear()
            await self._news.wait()
        message = self._messages.popleft()
        self._held_bytes -= len(message)
        self._read_on()
        return message

    async def send(self, message: str | bytes) -> None:
        if self.closed:
            raise ClientGone("the websocket is closed")
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()
        if self._outflow.full:
            await self._outflow.drained()

    async def close(self, code: int, reason: str) -> None:
        self._say_goodbye(code, reason)
        await self._over.wait()

    # Frames.

    @property
    def _full(self) -> bool:
        return self._held_bytes >= _HIGH_WATER_BYTES or len(self._messages) >= _HIGH_WATER_MESSAGES

    def _read_on(self) -> None:
        """Parse what has come, as far as somebody takes the messages in it."""
        while self._unread and not self._full:
            piece = bytes(self._unread[:_PIECE_BYTES])
            del self._unread[:_PIECE_BYTES]
            self._protocol.receive_data(piece)
            for event in self._protocol.events_received():
                assert isinstance(event, Frame)
                self._take(event)
            self._flush()
        if self._ended and not self._unread:
            self._protocol.receive_eof()
            self._flush()
            self._news.set()
        self._regulate()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._news.set()
            return
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) or self._deaf:
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if not frame.fin:
            return
        data = bytes(self._message)
        self._message.clear()
        try:
            message = data.decode() if self._is_text else data
        except UnicodeDecodeError:
            self._protocol.fail(1007, "text is UTF-8")
            return
        self._messages.append(message)
        self._held_bytes += len(message)
        self._news.set()

    def _flush(self) -> None:
        """Write what the library wants to be written. Its empty bytes mean: no more after this."""
        if self._over.is_set():
            self._protocol.data_to_send()
            return
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._news.set()
                self._transport.close()

    def _regulate(self) -> None:
        """Read from the client as long as somebody takes what it sends."""
        full = self._full
        if full == self._paused or self._transport.is_closing():
            return
        self._paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._heard = self._service.now
            self._transport.resume_reading()

    def _say_goodbye(self, code: int, reason: str = "") -> None:
        """Raises ValueError for a code or reason that cannot be sent."""
        if self.closed:
            return
        if len(reason.encode()) > _REASON_BYTES:
            raise ValueError(f"the reason is longer than {_REASON_BYTES} bytes")
        try:
            self._protocol.send_close(code, reason)
        except ProtocolError as error:
            raise ValueError(f"{code} is no code that closes a websocket") from error
        self._closing_since = self._service.now
        self._news.set()
        self._flush()

    # The service calls these.

    def check(self, now: float) -> None:
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent_bytes or not unsent:
            self._unsent_bytes, self._unsent_since = unsent, now
        elif now - self._unsent_since > self._service.limits.send_seconds:
            self._transport.abort()
        if self._closing_since is not None:
            if now - self._closing_since > _GOODBYE_SECONDS:
                self._transport.abort()
        elif not self._paused and not self.closed:
            self._ask_for_life(now - self._heard)

    def _ask_for_life(self, silent_seconds: float) -> None:
        limit = self._service.limits.ping_seconds
        if silent_seconds > 2 * limit:
            self._transport.abort()
        elif silent_seconds > limit and not self._pinged:
            self._pinged = True
            self._protocol.send_ping(b"")
            self._flush()

    def retire(self) -> None:
        self._say_goodbye(1001)

    def leave_if_idle(self) -> None:
        """It has said goodbye already."""

    def cut(self) -> None:
        if not self._cut:  # once: it may be cleaning up
            self._cut = True
            self._task.cancel()
            self._transport.abort()
