"""One connection: requests in, answers out, in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final, cast

from penstock.core.errors import ClientGone, RequestRefused
from penstock.server.failure import checked, failure, misfit
from penstock.server.messages import Peer, Request, Response, Upgrade
from penstock.server.outflow import Outflow
from penstock.server.problem import problem, refusal
from penstock.server.reading import RequestReader
from penstock.server.service import LOG, Service
from penstock.server.streaming import dismiss
from penstock.server.writing import AnswerWriter

_LINGER_SECONDS: Final = 2.0
"""So long a client may go on sending what nobody reads, to be able to read why."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_ENDED: Final = "the request was ended before it could be answered; it may be sent again"
"""By somebody else than the client."""

_UNREADABLE: Final = Request("", b"")
"""Stands for a request of which nothing is known but that it is refused."""


class Connection(asyncio.Protocol):
    """Hands requests to the handler one after the other, and writes what it answers.

    An answer that is there at once is written at once. For any other there is one task, or the
    handler's future, which is cancelled when the client leaves; requests that come meanwhile
    wait for their turn.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._outflow = Outflow()
        self._waiting: deque[Request | RequestRefused] = deque()
        self._current: Request | None = None  # its answer takes time, or was the last one
        self._task: asyncio.Future[Any] | None = None
        self._rest: bytes | None = None  # what came after a request for a websocket
        self._last = False  # what has come is answered, and no more
        self._deaf = False  # what comes now is not read
        self._closing = False
        self._lost = False
        self._paused = False
        self._since = service.now
        self._unsent_bytes = 0

    # The transport calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        service = self._service
        self._transport = cast("asyncio.Transport", transport)
        self._writer = AnswerWriter(self._transport, self._outflow, service)
        self._reader = RequestReader(self, service.limits, _peer(self._transport))
        crowded = len(service.members) >= service.limits.connections
        service.join(self)
        self._since = service.now
        if service.retiring:  # it was let in at the last moment
            self.retire()
        if crowded:
            self._deaf = self._last = True
            self._respond(_UNREADABLE, problem(503, "there are too many connections; try again later"))

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            if self._rest is not None:
                self._rest += data
            return
        reader = self._reader
        if not reader.unparsed:
            self._since = self._service.now
        try:
            reader.feed(data)
        except RequestRefused as error:
            self._refuse(error)
        if reader.body is not None:
            self._regulate()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - how it was lost is all one
        self._lost = self._deaf = True
        self._waiting.clear()
        if self._reader.body is not None:
            self._reader.body.fail(ClientGone("the client left before its request was complete"))
        self._reader.release()
        self._outflow.resume()
        if self._task is None:
            self._service.leave(self)
        else:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._outflow.pause()
        self._regulate()

    def resume_writing(self) -> None:
        self._outflow.resume()
        self._take_turns()

    # The reader calls these.

    def arrived(self, request: Request) -> None:
        if self._current is None and not self._waiting and not self._outflow.full:
            self._serve(request)
        else:
            self._waiting.append(request)
            self._regulate()

    def upgrading(self, request: Request, rest: bytes) -> None:
        self._rest = rest
        self._deaf = self._last = True
        self._regulate()
        self.arrived(request)

    def body_wanted(self) -> None:
        self._transport.write(_CONTINUE)

    def body_taken(self) -> None:
        self._regulate()

    # Turns.

    def _serve(self, request: Request) -> None:
        try:
            answer = self._service.handler(request)
        except Exception as error:
            answer = failure(request, error)
        if isinstance(answer, Response):
            rest = self._respond(request, answer)
            if rest is None:
                return
            self._work(request, self._finish(request, rest))
        elif isinstance(answer, asyncio.Future):
            self._current = request
            self._task = answer
            answer.add_done_callback(partial(self._answered, request))
        else:
            self._work(request, self._attend(request, answer))

    def _work(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        self._current = request
        name = f"http {request.method} {request.raw_path}"
        task = self._task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._attended)

    def _respond(self, request: Request, response: Response) -> Coroutine[Any, Any, bool] | None:
        """Write an answer, or return what will write it."""
        if isinstance(response, Upgrade):
            refused = self._switch(request, response)
            if refused is None:
                return None
            response = refused
        last = not request.keep_alive or (self._last and not self._waiting)
        if request.incoming is not None and request.incoming.expecting:
            last = True  # whether the body follows now, only the client knows
        goes_on = self._writer.write(request, response, last=last)
        if goes_on is True and request.incoming is None:
            return None
        if not isinstance(goes_on, bool):
            return goes_on
        self._settle(request, goes_on)
        return None

    async def _attend(self, request: Request, answering: Coroutine[Any, Any, Response]) -> None:
        """Wait for the answer, then send it."""
        try:
            response = checked(await answering)
        except Exception as error:
            response = failure(request, error)
        except asyncio.CancelledError:
            if self._lost:
                raise
            _go_on()
            response = problem(503, _ENDED)
        rest = None if self._lost else self._respond(request, response)
        if rest is not None:
            await self._finish(request, rest)

    async def _finish(self, request: Request, rest: Coroutine[Any, Any, bool]) -> None:
        self._settle(request, await rest)

    def _answered(self, request: Request, answering: asyncio.Future[Response]) -> None:
        """Send what the handler's future has become."""
        try:
            response = checked(answering.result())
        except Exception as error:
            response = failure(request, error)
        except asyncio.CancelledError:
            response = problem(503, _ENDED)
        if self._lost:
            self._work(request, _forget(response))
            return
        rest = self._respond(request, response)
        if rest is None:
            self._free()
        else:
            self._work(request, self._finish(request, rest))

    def _attended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            LOG.error("a connection failed", exc_info=error)
        if error is not None or task.cancelled():
            self._closing = True
            self._transport.abort()
        self._free()

    def _free(self) -> None:
        """The answer is sent: take the next request."""
        self._task = None
        if self._lost:
            self._service.leave(self)
        elif not self._closing:
            self._current = None
            self._since = self._service.now
            self._take_turns()

    def _settle(self, request: Request, goes_on: bool) -> None:
        """An answer is written."""
        if not goes_on:
            self._close(request)
        elif request.incoming is not None:
            request.incoming.drop()
            self._regulate()

    def _take_turns(self) -> None:
        """Go on with those that wait, while answers are written at once."""
        while self._waiting and self._current is None and not self._outflow.full:
            turn = self._waiting.popleft()
            if isinstance(turn, Request):
                self._serve(turn)
            else:
                self._respond(_UNREADABLE, refusal(turn))
        if self._last and self._idle and not self._reader.unparsed:
            self._close(_UNREADABLE)
        self._regulate()

    @property
    def _idle(self) -> bool:
        return self._current is None and not self._waiting

    def _refuse(self, error: RequestRefused) -> None:
        """What comes cannot be read. Answers that are owed are given first."""
        if self._closing:
            return
        self._deaf = self._last = True
        body = self._reader.body
        if body is None:
            self._waiting.append(error)
            self._take_turns()
        elif self._idle:  # answered already: this is the rest of a body that nobody wants
            self._close(_UNREADABLE)
        else:
            body.fail(error)

    def _switch(self, request: Request, upgrade: Upgrade) -> Response | None:
        """Go on as a websocket; the answer when that cannot be."""
        from penstock.server.conversation import Conversation

        if self._rest is None:
            return problem(426, "this is for websockets", headers=[("Upgrade", "websocket")])
        try:
            conversation = Conversation(self._service, request, upgrade)
        except RequestRefused as error:
            return refusal(error)
        except ValueError as error:
            return misfit(request, error)
        # From here on the transport is the conversation's.
        self._lost = self._closing = True
        self._current = request
        if self._paused:
            self._transport.resume_reading()
        self._reader.release()
        conversation.begin(self._transport, self._rest)
        if self._task is None:
            self._service.leave(self)
        return None

    def _regulate(self) -> None:
        """Read from the client as long as it can be given what it wants."""
        body = self._reader.body
        full = (
            self._outflow.full
            or len(self._waiting) >= self._service.limits.pipelined
            or (body is not None and body.full)
            or self._rest is not None
        )
        if full == self._paused or self._closing or self._transport.is_closing():
            return
        self._paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._since = self._service.now
            self._transport.resume_reading()

    # Ends.

    def _close(self, request: Request) -> None:
        """The last answer is written. Who still sends is not cut off before it could read that."""
        self._closing = self._deaf = True
        self._current = request
        self._waiting.clear()
        self._since = self._service.now
        sends = request is _UNREADABLE or (
            request.incoming is not None and not request.incoming.complete
        )
        if not sends:
            self._transport.close()
            return
        if self._paused:
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    # The service calls these.

    def check(self, now: float) -> None:
        limits = self._service.limits
        waited = now - self._since
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent_bytes:
            self._unsent_bytes = unsent
            self._since = now
        elif unsent:
            if waited > limits.send_seconds:
                self._transport.abort()
        elif self._closing:
            if waited > _LINGER_SECONDS:
                self._transport.abort()
        elif self._reader.body is not None:
            if self._reader.body.awaited and waited > limits.body_seconds:
                self._refuse(RequestRefused(408, f"nothing came for {limits.body_seconds:g} seconds"))
        elif self._idle:
            self._check_idle(waited)

    def _check_idle(self, waited: float) -> None:
        limits = self._service.limits
        if self._reader.unparsed:
            if waited > limits.head_seconds:
                self._refuse(RequestRefused(408, f"the head took over {limits.head_seconds:g} seconds"))
        elif self._last or waited > (limits.idle_seconds if self._reader.begun else limits.head_seconds):
            self._transport.close()

    def retire(self) -> None:
        self._last = True
        self._reader.retire()

    def leave_if_idle(self) -> None:
        if self._idle and not self._reader.unparsed and self._reader.body is None:
            self._transport.close()

    def cut(self) -> None:
        self._transport.abort()  # which is a loss like any other


async def _forget(response: Response) -> None:
    """The client left when the answer had just come: whoever is to go on with it need not."""
    if isinstance(response, Upgrade):
        if response.unopened is not None:
            response.unopened()
    elif not isinstance(response.body, bytes):
        await dismiss(response.body)


def _go_on() -> None:
    """The task of a handler that was cancelled is to send an answer yet."""
    task = asyncio.current_task()
    assert task is not None
    while task.cancelling():
        task.uncancel()


def _peer(transport: asyncio.Transport) -> Peer:
    name = transport.get_extra_info("peername")
    scheme = "https" if transport.get_extra_info("sslcontext") else "http"
    return Peer(name[0], name[1], scheme) if isinstance(name, tuple) else Peer(scheme=scheme)
