"""A websocket, as an application sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from penstock.core.errors import ClientGone
from penstock.server.asgi.words import ClientLeft, Message, headers_of, unexpected
from penstock.server.head import Head
from penstock.server.messages import Headers, Request, Response
from penstock.server.service import LOG
from penstock.server.websocket import WebSocket


class AsgiConversation:
    """The `receive` and `send` of one websocket.

    answer: what the connection waits for: the upgrade, or a refusal. A client whose handshake
    has mistakes never gets here, so that what is accepted is open.
    """

    def __init__(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Response] = loop.create_future()
        self._request = request
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[WebSocket] = loop.create_future()
        self._socket: WebSocket | None = None
        self._messages: AsyncIterator[str | bytes] | None = None
        self._connected = False  # the application knows that there is a client
        self._closed = False
        self._status = 0
        self._headers: Headers = ()
        self._refusal: list[bytes] = []

    def follow(self, task: asyncio.Task[None]) -> None:
        """This is the application that talks. A client that leaves early cancels the answer."""
        self._task = task
        self.answer.add_done_callback(self._settled)
        task.add_done_callback(self._ended)

    # The application calls these.

    async def receive(self) -> Message:
        """That there is a client, then what it says, then that it has left."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._closed and self._socket is None:  # it was refused
            return {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        socket = await asyncio.shield(self._opened)
        if self._messages is None:
            self._messages = aiter(socket)
        message = await anext(self._messages, None)
        if message is None:
            code = 1006 if socket.close_code is None else socket.close_code
            return {"type": "websocket.disconnect", "code": code, "reason": socket.close_reason}
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    async def send(self, message: Message) -> None:
        """Raises ClientLeft, RuntimeError for what is out of turn, ValueError for a wrong close code."""
        if self._socket is not None:
            await self._talk(self._socket, message)
        else:
            await self._begin(message)

    async def _talk(self, socket: WebSocket, message: Message) -> None:
        try:
            match message["type"]:
                case "websocket.send" if not self._closed:
                    text = message.get("text")
                    await socket.send(message["bytes"] if text is None else text)
                case "websocket.close" if not self._closed:
                    self._closed = True
                    await socket.close(message.get("code", 1000), message.get("reason") or "")
                case _:
                    raise unexpected(message, state="the websocket is " + self._state)
        except ClientGone as gone:
            raise ClientLeft(gone.message) from gone

    async def _begin(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept" if not self.answer.done() and not self._status:
                chosen, headers = message.get("subprotocol"), headers_of(message)
                Head(101, headers)  # raises ValueError where they cannot be sent
                self.answer.set_result(
                    self._request.upgrade_websocket(
                        self.converse,
                        subprotocols=[chosen] if chosen else (),
                        headers=headers,
                        unopened=self._leave,
                    )
                )
                self._socket = await self._opened
            case "websocket.close" if not self.answer.done() and not self._status:
                self._refuse(Response(403))
            case "websocket.http.response.start" if not self.answer.done() and not self._status:
                self._status = message["status"]
                self._headers = headers_of(message)
            case "websocket.http.response.body" if self._status and not self._closed:
                self._refusal.append(message.get("body", b""))
                if not message.get("more_body", False):
                    self._refuse(Response(self._status, self._headers, b"".join(self._refusal)))
            case _:
                raise unexpected(message, state="the websocket is " + self._state)

    def _refuse(self, response: Response) -> None:
        self._closed = True
        self.answer.set_result(response)

    @property
    def _state(self) -> str:
        if self._closed:
            return "closed"
        if self._socket is not None:
            return "open"
        return "being refused" if self._status else "not accepted yet"

    # Ends.

    async def converse(self, socket: WebSocket) -> None:
        """It is open. Raises what the application raises while somebody is there."""
        assert self._task is not None
        self._opened.set_result(socket)
        try:
            await self._task  # which is cancelled when this is
        except Exception as error:
            if not socket.closed:
                raise
            where = self._request.raw_path
            LOG.debug("the websocket at %s was left, which ended its handler", where, exc_info=error)

    def _settled(self, answer: asyncio.Future[Response]) -> None:
        if answer.cancelled():
            self._leave()

    def _leave(self) -> None:
        """The client left before the websocket was open."""
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.answer.cancel()
            return
        error = task.exception()
        if not self.answer.done():
            self.answer.set_exception(
                error or RuntimeError("the application ended without accepting the websocket")
            )
