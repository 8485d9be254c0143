"""What a server and its handler say to each other: a request, and the answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote_to_bytes

import msgspec

if TYPE_CHECKING:
    from penstock.server.websocket import WebSocket

RawHeaders = Sequence[tuple[bytes, bytes]]
Headers = Sequence[tuple[str, str]]
Converse = Callable[["WebSocket"], Coroutine[Any, Any, None]]


class Peer(msgspec.Struct, frozen=True, gc=False):
    """Who is at the other end of a connection. One for all of its requests.

    host: an IP address, or "" behind a Unix socket. scheme: `http` or `https`.
    """

    host: str = ""
    port: int = 0
    scheme: str = "http"


class Incoming(Protocol):
    """A body that did not come with its head, or must be decoded.

    complete: all of it has come. expecting: the client waits to be told to send it.
    """

    complete: bool
    expecting: bool

    def chunks(self) -> AsyncIterator[bytes]: ...

    def drop(self) -> None: ...


class Section:
    """The headers of a request. lines: names and values as received, bytes and in their order.

    A client says the same again and again: while it does, its requests share one section.
    repeated: the names that `fields` has lists for.
    """

    __slots__ = ("_fields", "lines", "repeated")

    def __init__(self, lines: RawHeaders = ()) -> None:
        self.lines = lines
        self.repeated: set[str] = set()
        self._fields: dict[str, str | list[str]] | None = None

    @property
    def fields(self) -> dict[str, str | list[str]]:
        """The headers by name in lower case; a list where a name came more than once.

        Made when first asked for, then kept: who gives it away gives a copy, of the lists, too.
        """
        return self._fields or self._read()

    def _read(self) -> dict[str, str | list[str]]:
        fields = self._fields = {}
        for raw_name, raw_value in self.lines:
            name = _KNOWN_NAMES.get(raw_name) or raw_name.decode("latin-1").lower()
            value = raw_value.decode("latin-1").rstrip(" \t")
            if name not in fields:
                fields[name] = value
            elif isinstance(found := fields[name], list):
                found.append(value)
            else:
                self.repeated.add(name)
                fields[name] = [found, value]
        return fields


class Request:
    """What a client asks.

    method: in capitals, as sent. raw_target: what follows it in the first line. section: the
    headers. version: `1.0` or `1.1`. peer: the client. body_now: the whole body when it has come
    with the head, as a small one does (b"" when there is none); None when it must be waited for
    or decoded, then it comes from `incoming`. keep_alive: whether the connection may be used
    for another request.
    """

    __slots__ = (
        "body_now",
        "incoming",
        "keep_alive",
        "method",
        "peer",
        "raw_target",
        "section",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: bytes,
        section: Section = Section(),  # noqa: B008 - immutable, as the peer is
        body: bytes = b"",
        version: str = "1.1",
        peer: Peer = Peer(),  # noqa: B008
    ) -> None:
        self.method = method
        self.raw_target = target
        self.section = section
        self.version = version
        self.peer = peer
        self.keep_alive = True
        self.body_now: bytes | None = body
        self.incoming: Incoming | None = None

    def attach(self, incoming: Incoming) -> None:
        """The body is not here yet: it comes from there."""
        self.body_now = None
        self.incoming = incoming

    def __repr__(self) -> str:
        # Without the query, where people put secrets.
        return f"<Request {self.method} {self.raw_path}>"

    @property
    def target(self) -> str:
        """What follows the method in the request's first line, as sent."""
        return self.raw_target.decode("latin-1")

    @property
    def raw_path(self) -> str:
        """The path as sent, without the query: a `%2F` in it is still told from a `/`."""
        return _origin_form(self.raw_target).partition(b"?")[0].decode("latin-1")

    @property
    def path(self) -> str:
        """The path, decoded from percent-encoding and UTF-8 (what is neither becomes U+FFFD)."""
        path = _origin_form(self.raw_target).partition(b"?")[0]
        if b"%" in path:
            path = unquote_to_bytes(path)
        return path.decode("utf-8", "replace")

    @property
    def query(self) -> str:
        """What follows the `?`, as sent."""
        return self.raw_target.partition(b"?")[2].decode("latin-1")

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.peer.scheme

    @property
    def host(self) -> str:
        """The host that the client asked for, with a port where it named one; "" when it did not."""
        if not self.raw_target.startswith(b"/") and b"://" in self.raw_target:  # it outranks the header
            authority = self.raw_target.partition(b"://")[2].partition(b"/")[0].partition(b"?")[0]
            return authority.rpartition(b"@")[2].decode("latin-1")
        return self.header("host")

    @property
    def headers(self) -> RawHeaders:
        """Names and values of the headers as received, bytes and in their order."""
        return self.section.lines

    @property
    def fields(self) -> dict[str, str | list[str]]:
        """The headers by name in lower case; see `Section.fields`."""
        return self.section.fields

    def header(self, name: str, default: str = "") -> str:
        """The value of a header, by its name in lower case; several are joined by commas."""
        value = self.section.fields.get(name, default)
        return value if isinstance(value, str) else ", ".join(value)

    async def body(self) -> bytes:
        """The whole body, decoded where it came in a content coding (gzip, deflate, br).

        Raises RequestRefused with status 413 when it is too large, 400 when it cannot be
        decoded, 415 when its coding is not known, and ClientGone when the rest did not come. A
        handler need not catch any of them: the server answers what they say.
        """
        if self.body_now is None:
            self.body_now = b"".join([chunk async for chunk in self.stream()])
        return self.body_now

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in chunks as they come, decoded; the client waits while nobody asks.

        Once only, unless the body has arrived whole. Raises as `body` does.
        """
        if self.body_now is not None or self.incoming is None:
            if self.body_now:
                yield self.body_now
            return
        async for chunk in self.incoming.chunks():
            yield chunk

    @property
    def wants_websocket(self) -> bool:
        """Whether the client asks to go on as a websocket."""
        return self.method == "GET" and self.header("upgrade").lower() == "websocket"

    def upgrade_websocket(
        self,
        converse: Converse,
        *,
        subprotocols: Sequence[str] = (),
        headers: Headers = (),
        compression: bool = True,
        message_bytes: int = 1 << 20,
        unopened: Callable[[], object] | None = None,
    ) -> Upgrade:
        """The answer that goes on as a websocket: `converse` is run with it, as a task.

        When `converse` returns, the websocket is closed; when it raises, it is closed with 1011
        and the error is logged. It is not cancelled when the client leaves: iteration ends,
        and `send` raises ClientGone. subprotocols: those the handler knows, the best first.
        compression: allow permessage-deflate. message_bytes: a larger message closes with 1009.
        unopened: called when the client has left before that. A handshake with mistakes is
        answered 400 or 426, whatever the handler wants.
        """
        return Upgrade(converse, subprotocols, headers, compression, message_bytes, unopened)


class Response:
    """What is answered.

    headers: names and values as text; Date, Content-Length and the framing are the server's
    work, whatever is in here (a Content-Length counts with a streamed body, and for HEAD).
    body: bytes, or chunks that are sent as they come, each when the client has taken what was
    sent before. A name or value that cannot be in a header is answered 500, and logged.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int = 200, headers: Headers = (), body: bytes | AsyncIterable[bytes] = b""
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class Upgrade(Response):
    """The answer that `Request.upgrade_websocket` makes."""

    __slots__ = ("compression", "converse", "message_bytes", "subprotocols", "unopened")

    def __init__(
        self,
        converse: Converse,
        subprotocols: Sequence[str],
        headers: Headers,
        compression: bool,
        message_bytes: int,
        unopened: Callable[[], object] | None,
    ) -> None:
        super().__init__(101, headers)
        self.converse = converse
        self.unopened = unopened
        self.subprotocols = subprotocols
        self.compression = compression
        self.message_bytes = message_bytes


Handler = Callable[[Request], Response | Coroutine[Any, Any, Response] | asyncio.Future[Response]]
"""Answers at once, or with a coroutine or future, which is cancelled when the client goes away."""


def _origin_form(target: bytes) -> bytes:
    """`/path?query` of any form of target; `*` stays."""
    if target.startswith(b"/") or b"://" not in target.partition(b"?")[0]:
        return target
    rest = target.partition(b"://")[2]
    starts = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
    path = rest[min(starts) :] if starts else b""
    return path if path.startswith(b"/") else b"/" + path


_KNOWN_NAMES: Final = {
    form: name
    for name in (
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "if-none-match",
        "origin",
        "referer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-request-id",
    )
    for form in (name.encode(), name.title().encode())
}
"""The names of most headers in the two ways in which they are written, to save work."""
