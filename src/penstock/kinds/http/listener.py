"""`listener`: a process of the graph for every request."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Meta

from penstock.core.ports import Port, Ports
from penstock.engine.kind import field
from penstock.kinds.http.board import Board, Boards
from penstock.kinds.http.conversation import converse, wants_conversation
from penstock.kinds.http.exchange import begin
from penstock.kinds.http.serving import Serving

if TYPE_CHECKING:
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.server.messages import Request, Response


class Listener(Serving, kind="listener", aliases=("http.listener",)):
    """Answer HTTP requests with what hangs from `out`.

    A request is a mapping: method, scheme, host, path (as it was sent), params (set by a
    `router`), query, headers (names in lower case), protocol, client (its address) and, when there
    is one, body. What is repeated in a query or in headers is a list. The body is data for JSON,
    a mapping for forms, text for `text/*`, and bytes otherwise; a file in a form is a mapping of
    filename, content_type and data. One that is not what its Content-Type says is answered with 400.

    The response of the process is answered by one rule:

    - A mapping whose keys are all among `status`, `headers`, `header` and `body` is a response.
    - Any other payload is the body of a 200: text as text/plain, bytes as they are, other data as
      JSON, or as the request's Accept prefers (JSON, MessagePack, text for text), else 406. The
      header `content-type` of a response decides instead.
    - Null is 204. A failure that nothing catches is a 500 that tells the client no more than an id,
      under which the log has the rest. So is an `Error`, or an answer that HTTP cannot say.

    A process that is answered with a status of 400 or above has failed for what it has open: a
    transaction is rolled back. A client that leaves cancels it; when it is the listener that leaves,
    what it has recorded goes on.

    Websockets are accepted where something hangs from `connect`, `message` or `disconnect`. Each
    message is a process with the handshake's mapping, its `connection` and, in `body`, the message;
    what it answers is sent back: text, bytes, or data as JSON; null sends nothing. `connect` may
    refuse with a status of 400 or above; else what it answers is the first message. `disconnect` gets
    `code` and `reason`. A message whose process fails closes the websocket with 1011.

    Config: protocol (`http`), port (0 takes a free one), host (127.0.0.1, so that nothing is open to
    the network unless you say so; `0.0.0.0` or `::` is every interface), tls (cert, key, ca: PEM
    files; with ca only clients that show a certificate of it are served), limits (body_bytes,
    head_bytes, header_count, target_bytes, message_bytes, head_timeout, body_timeout, idle_timeout,
    send_timeout, requests, connections), compress (false; br, gzip or deflate when the client takes
    it), drain (10s: how long requests may go on when it closes), durable. One listener has a port
    for itself; several paths are a matter of a `router`, or of `http.webhook`.

    Ports: out, connect, message and disconnect are called; error answers for processes that failed.

    Errors: none of its own. A port that is taken or a certificate that cannot be used keeps it
    inactive, with the reason.

    Example:
        - kind: listener
          name: api
          protocol: http
          port: 8000
          links: {out: router, error: sorry}
        - kind: router
          name: router
          routes:
            - {method: GET, path: /hello/:name, port: "out[0]"}
          links: {"out[0]": hello}
        - {kind: snippet, name: hello, language: cel, code: '{"hello": self.params.name}'}
        - {kind: snippet, name: sorry, language: json, code: '{"status": 500, "body": "sorry"}'}
    """

    port: Annotated[int, Meta(ge=0, le=65535)]
    protocol: Literal["http"] = "http"

    board: Board = field(init=False, default_factory=Board)

    out_ports: ClassVar[Ports] = {
        "out": Port(doc="called with each request", call=True),
        "connect": Port(doc="called when a websocket is opened", call=True),
        "message": Port(doc="called with each message of a websocket", call=True),
        "disconnect": Port(doc="called when a websocket is closed", call=True),
    }

    async def load(self) -> None:
        await self.listen(self.port)

    async def open(self, ctx: TriggerContext) -> None:
        self._ctx = ctx
        self.board = ctx.shared(Boards).at(ctx.node)
        self.board.listened = True
        await self.accept(ctx, self.answer)

    async def close(self) -> None:
        self.board.listened = False
        await super().close()

    def describe(self) -> str:
        return self.origin() if self.addresses else ""

    def answer(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """The response to a request, at once where the graph can."""
        ctx = self._ctx
        if self.board.routes is not None:
            match = self.board.find(request)
            if match is not None:
                return match.target(request, match.params)
        if "upgrade" in request.section.fields and wants_conversation(ctx, request):
            limit = self.limits.message_bytes
            return converse(ctx, request, message_bytes=limit, compress=self.compress)
        if "out" in ctx.at_once or ctx.linked("out"):
            return begin(ctx, "out", request)
        return self.board.miss(request)
