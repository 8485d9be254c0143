"""Exchanges: a request that goes through a graph and comes back as a response."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import NodeError, PenstockError, RequestRefused, RunSuspended
from penstock.core.payload import Payload
from penstock.engine.firing import Failure
from penstock.kinds.http.payload import payload_of
from penstock.kinds.http.reply import ReplyError, respond
from penstock.server.messages import Response
from penstock.server.problem import problem

if TYPE_CHECKING:
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.server.messages import Request

_UNSET: Final = object()


class Exchange:
    """One request, and the response that what hangs from a port comes to.

    The engine asks `fails` while the process is open: what it has written is rolled back unless
    the client is told of a success. The response is made then, and sent later.
    """

    __slots__ = ("_accept", "_ctx", "_payload", "_response")

    def __init__(self, ctx: TriggerContext, accept: str) -> None:
        self._ctx = ctx
        self._accept = accept
        self._payload: Payload = _UNSET
        self._response: Response | None = None

    def fails(self, payload: Payload) -> bool:
        """Whether the client will be told of a failure."""
        return self.response(payload).status >= 400

    def response(self, payload: Payload) -> Response:
        """The response for what the process answered."""
        if self._response is None or payload is not self._payload:
            self._payload = payload
            try:
                self._response = respond(payload, self._accept)
            except PenstockError as error:
                self._response = self.refusal(error)
        return self._response

    def refusal(self, error: PenstockError) -> Response:
        """The response where the payload has none that this client can have."""
        if isinstance(error, RequestRefused):
            return problem(error.status, error.message)
        if isinstance(error, RunSuspended):
            return problem(503, f"{error.message}, so do not send it again", id=error.fid)
        return self.failure(error)

    def failure(self, error: PenstockError) -> Response:
        """The answer to what nobody caught: nothing of the inside, but an id that the log has, too."""
        number = failed(self._ctx, error, "a request was answered with 500")
        detail = "the request could not be answered; the log tells more about this id"
        return problem(500, detail, id=number)

    async def later(self, process: Coroutine[Any, Any, Payload]) -> Response:
        """The response of a process that takes its time."""
        try:
            return self.response(await process)
        except PenstockError as error:
            return self.refusal(error)


def begin(ctx: TriggerContext, port: str, request: Request) -> Response | Coroutine[Any, Any, Response]:
    """Answer a request with what hangs from a port; at once, when the body is there and the graph can.

    Raises RequestRefused, at once or when awaited, for a request that cannot be read.
    """
    body = request.body_now
    if body is None:
        return _after_body(ctx, port, request)
    payload = payload_of(request, body)
    answer_now = ctx.at_once.get(port)
    if answer_now is None:
        return proceed(ctx, port, request, payload)
    accept = request.header("accept") if "accept" in request.section.fields else ""
    began = ctx.clock.monotonic()
    try:
        return respond(answer_now(payload), accept)
    except Failure as failure:
        seconds = ctx.clock.monotonic() - began
        return _concluded(ctx, request, partial(ctx.recover, port, failure, seconds=seconds))
    except PenstockError as error:
        return Exchange(ctx, accept).refusal(error)


async def _after_body(ctx: TriggerContext, port: str, request: Request) -> Response:
    answer = proceed(ctx, port, request, payload_of(request, await request.body()))
    return answer if isinstance(answer, Response) else await answer


def proceed(
    ctx: TriggerContext, port: str, request: Request, payload: Payload
) -> Response | Coroutine[Any, Any, Response]:
    """The same with the payload that the graph is to get."""
    return _concluded(ctx, request, partial(ctx.begin, port, payload))


def _concluded(
    ctx: TriggerContext,
    request: Request,
    process: Callable[..., Payload | Coroutine[Any, Any, Payload]],
) -> Response | Coroutine[Any, Any, Response]:
    """The response for what a process answers, or what is made of its failure."""
    exchange = Exchange(ctx, request.header("accept"))
    try:
        answer = process(fails=exchange.fails, trace=request.header("traceparent"))
    except PenstockError as error:
        return exchange.failure(error)
    if isinstance(answer, CoroutineType):
        return exchange.later(answer)
    return exchange.response(answer)


def failed(ctx: TriggerContext, error: PenstockError, what: str) -> str:
    """Tell the log of a failure that a client only hears of, under the id that is returned.

    Of a process it says which node failed, and how: the rest was told, without secrets, when the
    process ended. A mistake in the answer itself is told here alone, and holds no secret.
    """
    number = secrets.token_hex(8)
    facts = {"id": number, "code": getattr(error, "code", type(error).__name__)}
    if isinstance(error, ReplyError):
        what = f"{what}: {error.message}"
        facts["remedy"] = error.remedy
    elif isinstance(error, NodeError):
        facts["failed_node"] = error.node
        if error.process:
            facts["process"] = error.process
    ctx.warn(what, **facts)
    return number
