"""An ASGI application as the handler of a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self

from penstock.server.asgi.exchange import Exchange
from penstock.server.asgi.lifespan import Lifespan
from penstock.server.asgi.words import CHUNKS, AsgiApp, request_scope
from penstock.server.messages import Request, Response

if TYPE_CHECKING:
    from types import TracebackType

    from penstock.server.asgi.conversation import AsgiConversation

_HTTP_EXTENSIONS: Final[dict[str, dict[str, Any]]] = {CHUNKS: {}}
_WEBSOCKET_EXTENSIONS: Final[dict[str, dict[str, Any]]] = {"websocket.http.response": {}}


class AsgiHandler:
    """Answers requests and websockets by an application.

    server: host and port for the application's own links, where the client names no host.
    root_path: where a proxy has mounted it. An application that has not answered when its
    client leaves is told so if it listens, or has yet to read of the body what had come; else it is
    cancelled. One that has answered goes on.

        async with AsgiHandler(app) as handler:
            server = Server(handler, clock=clock)
            ...
            await server.drain(10)
    """

    def __init__(
        self, app: AsgiApp, *, server: tuple[str, int] | None = None, root_path: str = ""
    ) -> None:
        self.server = server
        self._app = app
        self._root_path = root_path
        self._lifespan = Lifespan(app)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.startup()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()

    async def startup(self) -> None:
        """Raises ServerError when the application cannot start."""
        await self._lifespan.startup()

    async def shutdown(self) -> None:
        """Cancel what applications still do for requests, then end the application.

        To be called when the server has drained. Raises ServerError when it did not end well.
        """
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._lifespan.shutdown()

    def __call__(self, request: Request) -> asyncio.Future[Response]:
        """Raises RequestRefused for the handshake of a websocket that has mistakes."""
        scope = request_scope(request, server=self.server, root_path=self._root_path)
        scope["state"] = self._lifespan.state.copy()
        exchange: Exchange | AsgiConversation
        if request.wants_websocket:
            exchange = self._conversation(request)
            scope["type"] = "websocket"
            scope["scheme"] = "wss" if request.scheme == "https" else "ws"
            offered = request.header("sec-websocket-protocol")
            scope["subprotocols"] = [name.strip() for name in offered.split(",") if name.strip()]
            scope["extensions"] = _WEBSOCKET_EXTENSIONS
        else:
            exchange = Exchange(request)
            scope["type"] = "http"
            scope["method"] = request.method
            scope["scheme"] = request.scheme
            scope["extensions"] = _HTTP_EXTENSIONS
        task = asyncio.get_running_loop().create_task(
            self._app(scope, exchange.receive, exchange.send), name="asgi"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        exchange.follow(task)
        return exchange.answer

    def _conversation(self, request: Request) -> AsgiConversation:
        """No application has to see a handshake with mistakes."""
        from penstock.server.asgi.conversation import AsgiConversation
        from penstock.server.handshake import shake_hands

        conversation = AsgiConversation(request)
        shake_hands(request, request.upgrade_websocket(conversation.converse))
        return conversation
