"""A request, and an application's answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from penstock.core.errors import ClientGone, RequestRefused
from penstock.server.asgi.handover import Handover
from penstock.server.asgi.words import CHUNKS, ClientLeft, Message, headers_of, unexpected
from penstock.server.messages import Headers, Request, Response
from penstock.server.service import LOG

_DISCONNECT: Final = "http.disconnect"


class Exchange:
    """The `receive` and `send` of one request.

    answer: what the connection waits for. It is there as soon as it is known to be all of it,
    or that more follows; the application may go on after that.
    """

    def __init__(self, request: Request) -> None:
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._request = request
        self._task: asyncio.Task[None] | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self._read = False  # the application has the whole body, or will not get it
        self._listening = 0
        self._status = 0
        self._headers: Headers = ()
        self._alone: asyncio.Handle | None = None
        self._handover: Handover | None = None
        self._begun = False
        self._complete = False
        self._left = False
        self._over: asyncio.Future[None] | None = None

    def follow(self, task: asyncio.Task[None]) -> None:
        """This is the application that answers. A client that leaves cancels the answer."""
        self._task = task
        self.answer.add_done_callback(self._settled)
        task.add_done_callback(self._ended)

    # The application calls these.

    async def receive(self) -> Message:
        """The body; then, when there is nobody to answer any more, that it is so.

        What had come of the body when the client left is given all the same.
        """
        request = self._request
        if not self._read:
            if request.body_now is not None:
                self._read = True
                return {"type": "http.request", "body": request.body_now, "more_body": False}
            return await self._next_piece()
        if not (self._complete or self._left):
            if self._over is None:
                self._over = asyncio.get_running_loop().create_future()
            self._listening += 1
            try:
                await asyncio.shield(self._over)
            finally:
                self._listening -= 1
        return {"type": _DISCONNECT}

    async def _next_piece(self) -> Message:
        if self._pieces is None:
            self._pieces = self._request.stream()
        self._listening += 1
        self._read = True  # unless a piece comes: what was cut short cannot be taken up again
        try:
            piece = await anext(self._pieces, None)
        except RequestRefused as refused:
            # The server says why, and not the application, which does not know.
            self._fail(refused)
            self.leave()
            return {"type": _DISCONNECT}
        except ClientGone:
            self.leave()
            return {"type": _DISCONNECT}
        finally:
            self._listening -= 1
        self._read = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(self, message: Message) -> None:
        """Raises ClientLeft, and RuntimeError for what is out of turn."""
        if self._left:
            raise ClientLeft("the client has left")
        match message["type"]:
            case "http.response.start" if not self._status:
                self._status = message["status"]
                self._headers = headers_of(message)
                # The body mostly follows at once, and may be all of it; else the head goes alone.
                self._alone = asyncio.get_running_loop().call_soon(self._begin)
            case "http.response.body" if self._status and not self._complete:
                await self._send_body(message.get("body", b""), more=message.get("more_body", False))
            case _ if message["type"] == CHUNKS and self._status and not self._begun:
                self._answer(message["chunks"])
                self._finish()
            case _:
                raise unexpected(message, state=self._state)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if not self._begun and not more:
            self._answer(bytes(body))
            self._finish()
            return
        if not self._begun:
            self._stream()
        assert self._handover is not None
        if not more:
            self._finish()
        await self._handover.put(body)
        if not more:
            self._handover.finish()

    def _begin(self) -> None:
        if self._task is not None and not self._task.done():
            self._stream()

    def _stream(self) -> None:
        self._handover = Handover(self.leave)
        self._answer(self._handover)

    def _answer(self, body: bytes | AsyncIterable[bytes]) -> None:
        self._begun = True
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        if not self.answer.done():  # it was refused, or the client has left
            self.answer.set_result(Response(self._status, self._headers, body))

    @property
    def _state(self) -> str:
        if self._complete:
            return "the answer is complete"
        return "the answer has begun" if self._status else "the answer begins with http.response.start"

    # Ends.

    def _settled(self, answer: asyncio.Future[Response]) -> None:
        if answer.cancelled():
            self.leave()

    def _finish(self) -> None:
        """The answer is complete. Who listens for the client's leaving need not go on."""
        self._complete = True
        self._tell()

    def leave(self) -> None:
        """Nobody wants the rest. An application that will not hear of that is cancelled."""
        if self._left:
            return
        self._left = True
        will_hear = self._listening or (self._request.body_now is None and not self._read)
        if not self._complete and not will_hear and self._task is not None:
            self._task.cancel()
        self._tell()

    def _tell(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
        elif self._handover is not None and not self._complete:
            self._handover.fail(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None  # it holds the frames that it ended in, and they hold generators
        if task.cancelled():
            self.answer.cancel()
            self._fail(asyncio.CancelledError())
            return
        error = task.exception()
        if not (self._complete or self._left):
            self._fail(error or RuntimeError("the application ended before its answer was complete"))
        elif error is not None:
            where = f"{self._request.method} {self._request.raw_path}"
            if self._left:
                LOG.debug("the client of %s left, which ended its handler", where, exc_info=error)
            else:
                LOG.error("the handler failed after its answer to %s", where, exc_info=error)
