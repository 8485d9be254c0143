"""What ASGI calls things: https://asgi.readthedocs.io/en/latest/specs/main.html."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any, Final

from penstock.core.errors import ClientGone
from penstock.server.messages import Headers, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

VERSION: Final = {"version": "3.0", "spec_version": "2.4"}
"""With 2.4, an application learns from `send` that the client has left."""

CHUNKS: Final = "penstock.response.chunks"
"""An extension: `{"type": CHUNKS, "chunks": …}` hands the rest of a body over as an async
iterable of bytes, from which the connection takes what the client can take. The application is
then done: it needs no task for as long as the body lasts."""


class ClientLeft(ClientGone, OSError):
    """What `send` raises when the client has left: applications expect an OSError."""


def request_scope(request: Request, *, server: tuple[str, int] | None, root_path: str) -> Scope:
    """What a request and a websocket have in common."""
    peer = request.peer
    return {
        "asgi": VERSION,
        "http_version": request.version,
        "path": request.path,
        "raw_path": request.raw_path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": root_path,
        "headers": [(name.lower(), value.rstrip(b" \t")) for name, value in request.headers],
        "client": (peer.host, peer.port) if peer.host else None,
        "server": server,
    }


def headers_of(message: Message) -> Headers:
    """The headers of an answer, as this server wants them."""
    pairs: Iterable[tuple[bytes, bytes]] = message.get("headers") or ()
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


def unexpected(message: Message, *, state: str) -> RuntimeError:
    """The mistake of an application that says something at the wrong time."""
    return RuntimeError(f"{message['type']!r} is out of turn: {state}")
