"""What a server lets one client do."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much, how long and how many. What is over a limit gets the status in brackets.

    target_bytes: the request's target, path and query (414).
    head_bytes: its first line and headers together; also what may come between two pieces of a
    body, as chunk extensions and trailers do (431).
    header_count: its headers (431).
    body_bytes: its body, as it comes and as it is after decoding; None for no limit (413).
    head_seconds: from the first byte of a request to the end of its head, and from connecting
    to the first byte; this is what a slow loris meets (408).
    body_seconds: between two pieces of a body, while the handler wants more (408).
    idle_seconds: between two requests of a connection (closed).
    send_seconds: without the client taking anything of an answer (cut).
    ping_seconds: of silence on a websocket until a ping asks whether anybody is there; as long
    again without a sign of life ends it.
    requests: per connection, then it is closed; None for no limit.
    connections: at the same time (503).
    pipelined: requests that may wait for their turn before their connection is read no further.
    """

    target_bytes: int = 8 << 10
    head_bytes: int = 32 << 10
    header_count: int = 100
    body_bytes: int | None = 10 << 20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    send_seconds: float = 30.0
    ping_seconds: float = 20.0
    requests: int | None = None
    connections: int = 10_000
    pipelined: int = 16

    @property
    def tick_seconds(self) -> float:
        """How often to look for what has taken too long: often enough for the shortest time."""
        shortest = min(
            self.head_seconds, self.body_seconds, self.idle_seconds, self.send_seconds, self.ping_seconds
        )
        return min(1.0, max(0.05, shortest / 4))
