"""Gates: what has arrived at a vertex that needs bookkeeping, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from penstock.core.policies import Join

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.engine.plan import Vertex

Branch = tuple[int, ...]
"""The link ordinals and packet numbers chosen on the way: the same on every replay."""


class Gate:
    """The state of one vertex.

    pending: links not settled yet. live: firings ready or running. fired: it has fired.
    done: it can fire no more than it has. inbox: what came for a join, in-port → packets
    with their branches, or just the packet of a join that fires once.
    """

    __slots__ = ("done", "fired", "inbox", "live", "pending")

    def __init__(self, pending: int) -> None:
        self.pending = pending
        self.live = 0
        self.fired = False
        self.done = False
        self.inbox: dict[str, Any] = {}

    def lacks(self, vertex: Vertex, port: str) -> bool:
        """Whether a join can never fire, now that a link of this port has settled."""
        return vertex.once and vertex.join is Join.ALL and port not in self.inbox

    def joined(self, vertex: Vertex) -> Iterator[tuple[dict[str, Payload], Branch]]:
        """The firings of a join whose links have all settled: inputs and branch of each.

        Packets of a port are paired in the order of their branches, never of their
        arrival, so that a replay pairs them alike.
        """
        ports = [port for port in vertex.linked if port in self.inbox]
        if not ports or (vertex.join is Join.ALL and len(ports) < len(vertex.linked)):
            return
        if vertex.once:
            yield {**vertex.base, **{port: self.inbox[port] for port in ports}}, ()
            return
        packets: dict[str, list[tuple[Branch, Payload]]]
        packets = {port: sorted(self.inbox[port], key=lambda packet: packet[0]) for port in ports}
        sizes = [len(found) for found in packets.values()]
        for number in range(min(sizes) if vertex.join is Join.ALL else max(sizes)):
            came = {port: found[number][1] for port, found in packets.items() if number < len(found)}
            yield {**vertex.base, **came}, (number,)
