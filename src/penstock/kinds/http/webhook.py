"""`http.webhook`: a process for what another service reports."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta

from penstock.core.errors import ListenError, PenstockError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import FieldError, field
from penstock.kinds.http.board import Board, Boards, Mount
from penstock.kinds.http.exchange import Exchange, failed, proceed
from penstock.kinds.http.methods import parse_methods
from penstock.kinds.http.payload import payload_of
from penstock.kinds.http.routes import Pattern
from penstock.kinds.http.serving import Serving
from penstock.kinds.http.signature import Signature
from penstock.server.messages import Response
from penstock.server.problem import problem

if TYPE_CHECKING:
    from penstock.core.clock import Timer
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.server.messages import Request

_PATIENCE_SECONDS: Final = 5.0
"""How long its listener may take to come before the log is told."""


class Webhook(Serving, kind="http.webhook", aliases=("webhook",)):
    """Take what another service reports at a path, and begin a process for it.

    The payload is that of a `listener`, with the parameters of the path in `params`.

    Config: path (`/hooks/github`, or with `:name` and `*rest` as in a `router`), method (POST, or a
    list), and where it is: listener, the name of a `listener` in the namespace, whose own `out`
    does not see these requests; or a port of its own, with host, tls, limits, compress and drain
    as there.

    - reply: `accepted` (the default) answers 202 as soon as the process is safe, or has begun when
      it is not durable; `response` waits, and answers by the rule of the `listener`.
    - durable (default true): the process is recorded before the service is answered, and goes on
      after a crash.
    - key: the name of a header that tells deliveries apart, such as `X-GitHub-Delivery`; one that
      comes again within the hour is answered 202, and begins nothing. Needs `durable` and `accepted`.
    - signature: refuses with 401 what is not signed: secret (one, or a list of which any may be
      used), scheme (`github`, `stripe`, or `hex` and `base64` for the plain HMAC), header,
      algorithm, tolerance. Give the secret through `env`.

    While nothing hangs from `out`, the service is told to come again: 503.

    Ports: out is called with each report; error answers for processes that failed.

    Errors: none of its own. A path that another webhook has keeps it inactive, with the reason.

    Example:
        - {kind: listener, name: public, port: 8000}
        - kind: http.webhook
          name: pushed
          listener: public
          path: /hooks/:repository
          env: {SECRET: {data: "correct horse"}}
          signature: {scheme: github, secret: "{{ SECRET }}"}
          key: X-GitHub-Delivery
          links: {out: build}
        - {kind: snippet, name: build, language: cel, code: '"building " + self.params.repository'}
    """

    path: str
    method: str | list[str] = "POST"
    listener: str = ""
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    reply: Literal["accepted", "response"] = "accepted"
    key: str = ""
    signature: Signature | None = None
    durable: bool = True

    mount: Mount | None = field(init=False, default=None)
    board: Board = field(init=False, default_factory=Board)
    running: set[asyncio.Task[Any]] = field(init=False, default_factory=set)
    overdue: Timer | None = field(init=False, default=None)

    out_ports: ClassVar[Ports] = {"out": Port(doc="called with each report", call=True)}

    def check(self) -> None:
        super().check()
        if bool(self.listener) == (self.port is not None):
            raise FieldError("listener", "name a `listener`, or give a `port` of its own: one of them")
        if self.key and not (self.durable and self.reply == "accepted"):
            raise FieldError("key", "only what is recorded can be told apart: `durable` and `accepted`")
        if self.signature is not None:
            self.signature.check()
        try:
            Pattern.parse(self.path)
        except ValueError as error:
            raise FieldError("path", str(error)) from error
        try:
            methods = parse_methods(self.method)
        except ValueError as error:
            raise FieldError("method", str(error)) from error
        self.mount = Mount(self.path, methods, self.answer)

    async def load(self) -> None:
        if self.port is not None:
            await self.listen(self.port)

    async def open(self, ctx: TriggerContext) -> None:
        assert self.mount is not None, "a node is checked before it is opened"
        self._ctx = ctx
        if self.listener:
            self.board = ctx.shared(Boards).at(self.listener)
            self.overdue = ctx.clock.call_later(_PATIENCE_SECONDS, self._look_for_listener)
        try:
            self.board.hang(self.mount)
        except ValueError as error:
            raise ListenError(
                f"listener `{self.listener}`: {error}", remedy="choose another path"
            ) from error
        await self.accept(ctx, self.answer_alone)

    async def close(self) -> None:
        if self.overdue is not None:
            self.overdue.cancel()
        if self.mount is not None:
            self.board.take_down(self.mount)
        await super().close()

    async def drained(self) -> None:
        await super().drained()
        if self.running:
            await asyncio.wait(self.running, timeout=self.drain.total_seconds())

    def describe(self) -> str:
        assert self.mount is not None, "a node is checked before it is described"
        methods = ", ".join(self.mount.methods)
        if self.listener:
            return f"{methods} {self.path} on {self.listener}"
        return f"{methods} {self.origin()}{self.path}" if self.addresses else ""

    def answer(
        self, request: Request, params: dict[str, str]
    ) -> Response | Coroutine[Any, Any, Response]:
        """The response to a request at this path."""
        if not self._ctx.linked("out"):
            return problem(503, "nothing takes this report yet", headers=[("Retry-After", "5")])
        return self._take(request, params)

    async def _take(self, request: Request, params: dict[str, str]) -> Response:
        body = await request.body()
        if self.signature is not None:
            self.signature.verify(request, body, now=self._ctx.clock.now())
        payload = {**payload_of(request, body), "params": params}
        if self.reply == "response":
            answer = proceed(self._ctx, "out", request, payload)
            return answer if isinstance(answer, Response) else await answer
        trace = request.header("traceparent")
        if not self.durable:
            self._begin(payload, trace)
            return Response(202)
        try:
            key = request.header(self.key.lower()) if self.key else ""
            await self._ctx.submit("out", payload, key=key, trace=trace)
        except PenstockError as error:
            return Exchange(self._ctx, "").failure(error)
        return Response(202)

    def _begin(self, payload: Payload, trace: str) -> None:
        """Run a process that nobody waits for, but the closing of the webhook."""
        task = self._ctx.own(self._run(payload, trace), f"webhook-{self._ctx.node}")
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _run(self, payload: Payload, trace: str) -> None:
        try:
            answer = self._ctx.begin("out", payload, trace=trace)
            if isinstance(answer, Coroutine):
                await answer
        except PenstockError as error:
            failed(self._ctx, error, "a report that was accepted came to nothing")

    def answer_alone(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """The same on a port of its own, where there may be requests for other paths."""
        match = self.board.find(request)
        return self.board.miss(request) if match is None else match.target(request, match.params)

    def _look_for_listener(self) -> None:
        if not self.board.listened:
            self._ctx.warn(f"no listener `{self.listener}` is open, so nobody can reach this webhook")
