"""The server: where it listens, and how it begins and ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.core.clock import Clock
from penstock.server.connection import Connection
from penstock.server.limits import Limits
from penstock.server.messages import Handler
from penstock.server.service import Service
from penstock.server.sockets import BACKLOG, listening

if TYPE_CHECKING:
    import ssl

_TLS_GOODBYE_SECONDS = 5.0


class Server:
    """An HTTP/1.1 server.

    handler: answers requests; another may be set at any time, and answers those that come
    then. compress_from_bytes: answers from this size on are compressed for clients that can
    read it; None never does. A server is used once: bind, accept, drain or close.

        server = Server(lambda request: Response(body=b"hello"), clock=clock)
        await server.bind("127.0.0.1", 8000)
        await server.accept()
        ...
        await server.drain(10)
    """

    def __init__(
        self,
        handler: Handler,
        *,
        clock: Clock,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        tls: ssl.SSLContext | None = None,
        compress_from_bytes: int | None = None,
    ) -> None:
        self.addresses: list[tuple[str, int]] = []
        self._clock = clock
        self._tls = tls
        self._service = Service(
            handler, limits=limits, clock=clock, compress_from_bytes=compress_from_bytes
        )
        self._doors: list[asyncio.Server] = []

    @property
    def handler(self) -> Handler:
        return self._service.handler

    @handler.setter
    def handler(self, handler: Handler) -> None:
        self._service.handler = handler

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._service.members)

    async def bind(self, host: str, port: int) -> None:
        """Listen on an address; `addresses` says which that became. Clients may already knock.

        host: a name, an IPv4 or IPv6 address, or "" for every address of the machine. port: 0
        for any free one. Raises ListenError.
        """
        loop = asyncio.get_running_loop()
        service = self._service
        secure = self._tls is not None
        for socket in await listening(host, port):
            door = await loop.create_server(
                lambda: Connection(service),
                sock=socket,
                backlog=BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=service.limits.head_seconds if secure else None,
                ssl_shutdown_timeout=_TLS_GOODBYE_SECONDS if secure else None,
                start_serving=False,
            )
            self._doors.append(door)
            self.addresses.append(socket.getsockname()[:2])

    async def accept(self) -> None:
        """Let clients in, those that wait first."""
        for door in self._doors:
            await door.start_serving()

    def retire(self) -> None:
        """Let nobody in. What was begun goes on, and answers say that they are the last."""
        self._shut()
        self._service.retiring = True
        for member in tuple(self._service.members):
            member.retire()

    async def drain(self, deadline_seconds: float) -> None:
        """Retire, finish what was begun, and return when the last client has left.

        What is not over after the deadline is cut, and its handlers are cancelled.
        """
        if not self._service.retiring:
            self.retire()
        service = self._service
        timer = self._clock.call_later(deadline_seconds, self._cut)
        try:
            for _ in range(2):  # what a client has sent already is still read
                await asyncio.sleep(0)
            for member in tuple(service.members):
                member.leave_if_idle()
            await service.vacant.wait()
        finally:
            timer.cancel()
            self._cut()
            service.stop()

    async def close(self) -> None:
        """Cut all connections, and return when their handlers are over."""
        self._shut()
        self._cut()
        await self._service.vacant.wait()
        self._service.stop()

    def _shut(self) -> None:
        for door in self._doors:
            door.close()
        self._doors.clear()

    def _cut(self) -> None:
        for member in tuple(self._service.members):
            member.cut()
