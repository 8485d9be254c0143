"""`python -m benchmarks.http_handlers NAME PORT`: one worker that answers JSON, by a server of its name.

All say the same: to a GET `{"hello": "world"}`, to a POST what came.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import uvloop

GREETING = {"hello": "world"}


async def penstock(port: int, **options: Any) -> None:
    """A handler that answers at once."""
    from penstock.engine.clock import SystemClock
    from penstock.server.messages import Request, Response
    from penstock.server.server import Server

    encode, decode = msgspec.json.encode, msgspec.json.decode
    headers = [("Content-Type", "application/json")]

    def handler(request: Request) -> Response:
        body = request.body_now
        return Response(200, headers, encode(decode(body) if body else GREETING))

    server = Server(handler, clock=SystemClock(), **options)
    await server.bind("127.0.0.1", port)
    await server.accept()
    await asyncio.Event().wait()


async def penstock_task(port: int) -> None:
    """A handler that is a coroutine, so that each request has a task."""
    from penstock.engine.clock import SystemClock
    from penstock.server.messages import Request, Response
    from penstock.server.server import Server

    headers = [("Content-Type", "application/json")]

    async def handler(request: Request) -> Response:
        body = await request.body()
        answer = msgspec.json.decode(body) if body else GREETING
        return Response(200, headers, msgspec.json.encode(answer))

    server = Server(handler, clock=SystemClock())
    await server.bind("127.0.0.1", port)
    await server.accept()
    await asyncio.Event().wait()


async def aiohttp(port: int) -> None:
    """The low-level server of aiohttp: no router, no application."""
    from aiohttp import web

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        answer = msgspec.json.decode(body) if body else GREETING
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    runner = web.ServerRunner(web.Server(handler, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def raw(port: int) -> None:
    """What a protocol on httptools can do that keeps no rules at all."""
    from httptools import HttpRequestParser

    encode, decode = msgspec.json.encode, msgspec.json.decode

    class Raw(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport
            self.body = b""
            self.parser = HttpRequestParser(self)

        def data_received(self, data: bytes) -> None:
            self.parser.feed_data(data)

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            body = encode(decode(self.body) if self.body else GREETING)
            self.body = b""
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )

    await asyncio.get_running_loop().create_server(Raw, "127.0.0.1", port)
    await asyncio.Event().wait()


SERVERS: dict[str, Callable[[int], Coroutine[Any, Any, None]]] = {
    "aiohttp": aiohttp,
    "penstock": penstock,
    "penstock-task": penstock_task,
    "raw": raw,
}

if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(SERVERS[sys.argv[1]](int(sys.argv[2])))
