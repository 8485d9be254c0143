"""A real HTTP server on the loopback interface, for the tests of the HTTP kinds."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import ssl

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers what a path asks for; keeps what it was asked.

    requests: each request's method, path with query, headers in lower case, and body.
    peers: the client's address of each request; equal ones share a connection.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.peers: list[object] = []
        self.stuck = asyncio.Event()
        self.freed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.path_qs, headers, await request.read()))
        assert request.transport is not None
        self.peers.append(request.transport.get_extra_info("peername"))
        handler: Handler = getattr(self, f"_{request.match_info['what']}")
        return await handler(request)

    async def _json(self, request: web.Request) -> web.Response:
        return web.json_response({"name": "Ada", "tags": ["é"]})

    async def _text(self, request: web.Request) -> web.Response:
        return web.Response(
            body="é".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}
        )

    async def _binary(self, request: web.Request) -> web.Response:
        return web.Response(body=b"\x00\xff", content_type="image/png")

    async def _empty(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _broken(self, request: web.Request) -> web.Response:
        return web.Response(text="{oops", content_type="application/json")

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.query["code"]), text="no such thing")

    async def _redirect(self, request: web.Request) -> web.Response:
        return web.Response(
            status=int(request.query.get("code", 302)), headers={"Location": request.query["to"]}
        )

    async def _cookies(self, request: web.Request) -> web.Response:
        response = web.Response(text="ok", headers={"X-Many": "a"})
        response.headers.add("X-Many", "b")
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    async def _bomb(self, request: web.Request) -> web.Response:
        body = gzip.compress(b"\0" * 5_000_000)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport is not None:
            await response.write(b"x" * 65536)
        return response

    async def _never(self, request: web.Request) -> web.Response:
        self.stuck.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.freed.set()
        raise AssertionError

    async def _echo(self, request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(self.requests[-1][2]))


@asynccontextmanager
async def serve(
    context: ssl.SSLContext | None = None, *, max_body_bytes: int = 1 << 20
) -> AsyncIterator[Server]:
    """A server on a free port of 127.0.0.1, with TLS when there is a context."""
    server = Server()
    app = web.Application(client_max_size=max_body_bytes)
    app.router.add_route("*", "/{what}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    scheme = "http" if context is None else "https"
    server.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
