"""A server for a test, and a client that sends bytes as they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from penstock.core.clock import Clock
from penstock.engine.clock import SystemClock
from penstock.server.limits import Limits
from penstock.server.messages import Handler, Request, Response
from penstock.server.server import Server

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

PATIENCE_SECONDS = 10.0


@asynccontextmanager
async def serving(
    handler: Handler,
    *,
    clock: Clock | None = None,
    tls: ssl.SSLContext | None = None,
    compress_from_bytes: int | None = None,
    **limits: Any,
) -> AsyncIterator[Server]:
    """A server on a free port of 127.0.0.1; limits are the fields of Limits."""
    server = Server(
        handler,
        clock=clock or SystemClock(),
        tls=tls,
        limits=Limits(**limits),
        compress_from_bytes=compress_from_bytes,
    )
    await server.bind("127.0.0.1", 0)
    await server.accept()
    try:
        yield server
    finally:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await server.close()


def port_of(server: Server) -> int:
    return server.addresses[0][1]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something holds. Raises TimeoutError after 10 seconds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def settled() -> None:
    """Let arrive what was sent. The kernel delivers at once; the loop needs some turns to see it."""
    for _ in range(50):
        await asyncio.sleep(0)


def echo(request: Request) -> Response:
    """The request's method, path and body, when the body came with the head."""
    text = f"{request.method} {request.path} ".encode()
    assert request.body_now is not None
    return Response(200, [("Content-Type", "text/plain")], text + request.body_now)


async def echo_later(request: Request) -> Response:
    """The same, however the body comes."""
    text = f"{request.method} {request.path} ".encode()
    return Response(200, [("Content-Type", "text/plain")], text + await request.body())


class Answer:
    """headers: by name in lower case, the last of several."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.headers} {self.body[:200]!r}>"


class Wire:
    """A client's end of a connection.

    async with Wire(server) as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await wire.answer()
    """

    def __init__(self, server: Server | int, tls: ssl.SSLContext | None = None) -> None:
        """server: or its port."""
        self._port = server if isinstance(server, int) else port_of(server)
        self._tls = tls

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1",
            self._port,
            ssl=self._tls,
            server_hostname="localhost" if self._tls else None,
            limit=1 << 26,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next answer. Raises EOFError (IncompleteReadError) when the server closed instead."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            version, status, _ = first.split(" ", 2)
            assert version == "HTTP/1.1"
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            return Answer(
                int(status), headers, b"" if bodiless else await self._body(int(status), headers)
            )

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in (101, 100, 204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            body = bytearray()
            while size := int(await self.reader.readline(), 16):
                body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
            return bytes(body)
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return await self.reader.read()

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer()

    async def closed(self) -> bytes:
        """Wait until the server has closed; what came before that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


def request(
    method: str = "GET",
    target: str = "/",
    body: bytes | None = None,
    *headers: str,
    version: str = "1.1",
) -> bytes:
    """A request in bytes, with Host and, where there is a body, its length."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + (body or b"")


async def exchange(server: Server, data: bytes) -> Answer:
    """One answer on a connection of its own."""
    async with Wire(server) as wire:
        return await wire.ask(data)


class Gate:
    """A handler that answers when it is let; knows how many came, and how many were cancelled."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.cancelled = 0

    async def __call__(self, request: Request) -> Response:
        self.entered += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Response(200, [], request.path.encode())
