"""How a request becomes a websocket: RFC 6455, section 4, by the `websockets` library."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from penstock.core.errors import RequestRefused
from penstock.server.head import Head
from penstock.server.messages import Request, Upgrade

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

_SILENT: Final = logging.getLogger("penstock.server.websocket")
_SILENT.disabled = True
"""The library would log what is in the frames."""


def shake_hands(request: Request, upgrade: Upgrade) -> ServerProtocol:
    """The protocol of an open websocket; the bytes that it has to send are the answer.

    Raises RequestRefused where the client did not ask as it should, and ValueError for headers
    of the handler that cannot be sent.
    """
    Head(101, upgrade.headers)  # as for any other answer
    protocol = _protocol(upgrade)
    protocol.receive_data(_as_read_by_library(request))
    events = protocol.events_received()
    if not events or not isinstance(events[0], Handshake):
        raise RequestRefused(400, "this is no handshake of a websocket")
    answer = protocol.accept(events[0])
    if answer.status_code != 101:
        wanted = [
            (name, value)
            for name, value in answer.headers.raw_items()
            if name.lower() in {"upgrade", "sec-websocket-version"}
        ]
        raise RequestRefused(
            answer.status_code, "the handshake of the websocket is wrong", headers=wanted
        )
    for name, value in upgrade.headers:
        answer.headers[name] = value
    protocol.send_response(answer)
    return protocol


def _protocol(upgrade: Upgrade) -> ServerProtocol:
    def select(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((known for known in offered if known in upgrade.subprotocols), None)

    # Small windows: each connection pays for its own, and messages are short.
    deflate = ServerPerMessageDeflateFactory(
        server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
    )
    return ServerProtocol(
        extensions=[deflate] if upgrade.compression else None,
        select_subprotocol=select,
        max_size=upgrade.message_bytes,
        logger=_SILENT,
    )


def _as_read_by_library(request: Request) -> bytes:
    lines = [f"GET {request.target} HTTP/{request.version}".encode("latin-1")]
    lines += [name + b": " + value for name, value in request.headers]
    return b"\r\n".join((*lines, b"", b""))
