"""What a listener lets one client do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from penstock.core.duration import Duration

if TYPE_CHECKING:
    from penstock.server import limits as server

Some = Annotated[int, Meta(ge=1)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one client may do.

    body_bytes: of a body, as it comes and after decompression; null for no limit (413).
    head_bytes: of a request's first line and headers together (431), and header_count of them.
    target_bytes: of its path and query (414). head_timeout: for the head to come (408), and
    body_timeout from one piece of a body to the next (408). idle_timeout: between two requests
    of a connection, and send_timeout without the client taking any of an answer (closed).
    message_bytes: of a websocket's message (closed with 1009).
    requests: per connection; null for no limit. connections: at the same time (503).
    """

    body_bytes: Some | None = 10 << 20
    head_bytes: Some = 32 << 10
    header_count: Some = 100
    target_bytes: Some = 8 << 10
    head_timeout: Duration = Duration(seconds=10)
    body_timeout: Duration = Duration(seconds=30)
    idle_timeout: Duration = Duration(seconds=75)
    send_timeout: Duration = Duration(seconds=30)
    message_bytes: Some = 1 << 20
    requests: Some | None = None
    connections: Some = 10_000

    def for_server(self) -> server.Limits:
        """The limits as the server takes them."""
        from penstock.server.limits import Limits as ServerLimits

        return ServerLimits(
            target_bytes=self.target_bytes,
            head_bytes=self.head_bytes,
            header_count=self.header_count,
            body_bytes=self.body_bytes,
            head_seconds=self.head_timeout.total_seconds(),
            body_seconds=self.body_timeout.total_seconds(),
            idle_seconds=self.idle_timeout.total_seconds(),
            send_seconds=self.send_timeout.total_seconds(),
            requests=self.requests,
            connections=self.connections,
        )
