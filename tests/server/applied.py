"""ASGI applications for tests, and a server of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute
from tests.server.serving import serving

from penstock.server.asgi.application import AsgiHandler

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from penstock.server.asgi.words import AsgiApp, Message, Receive, Scope, Send
    from penstock.server.server import Server

Endpoint = Callable[[Request], Any]


@asynccontextmanager
async def applied(app: AsgiApp, **options: Any) -> AsyncIterator[Server]:
    """A server of an application, with its lifespan."""
    async with AsgiHandler(app) as handler, serving(handler, **options) as server:
        yield server


def starlette(endpoint: Endpoint, *methods: str, **options: Any) -> Starlette:
    return Starlette(routes=[Route("/{rest:path}", endpoint, methods=methods or None)], **options)


def answering(make: Callable[[], Response], **options: Any) -> Starlette:
    """Starlette would call a plain function in a thread."""

    async def endpoint(_: Request) -> Response:
        return make()

    return starlette(endpoint, **options)


def websockets(endpoint: Callable[[WebSocket], Any]) -> Starlette:
    return Starlette(routes=[WebSocketRoute("/{rest:path}", endpoint)])


def http(respond: Callable[[Receive, Send], Any]) -> AsgiApp:
    """An application that knows only of requests."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        await respond(receive, send)

    return app


def start(status: int = 200, **headers: str) -> Message:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
