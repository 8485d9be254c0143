"""Trees: plans in which a packet can reach each vertex in one way only.

Nothing joins in them, so nothing has to be waited for, and a process of plain nodes needs
none of the bookkeeping of process.py: it follows the packets. Most of what hangs from an
HTTP route is of this shape, and this is what such a request costs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from penstock.core.payload import Error, Payload
from penstock.engine.firing import Failure
from penstock.engine.kind import Relay, Relayed
from penstock.engine.outputs import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.engine.plan import Plan, Route, Vertex

Leaves = list[tuple[int, Payload]]
"""What leaves contribute, each with its vertex's place in the order of links."""


def is_tree(plan: Plan) -> bool:
    """Whether a called plan can be run as a `Tree`."""
    return (
        plan.inline
        and not plan.outputs
        and bool(plan.feeds)
        and all(vertex.solo and not vertex.many_ports for vertex in plan.vertices)
    )


class Stage:
    """A vertex of a tree.

    relay: fires it; by which port it sends, and what. Where it sends by several, or not at all,
    the port is empty, and the payload is its outputs. onward: the one stage that a port leads
    to. ways: the stages that its ports lead to.
    """

    __slots__ = ("onward", "relay", "vertex", "ways")

    def __init__(self, route: Route) -> None:
        node = route.target.node
        self.vertex = route.target
        self.relay: Callable[[Payload], Relayed] = (
            node.relay
            if isinstance(node, Relay) and node.normalised
            else partial(_fired, route.target, route.port)
        )
        self.onward: dict[str, Stage] = {}
        self.ways: dict[str, list[Stage]] = {}

    def lead(self) -> list[Stage]:
        """Make the stages behind this one."""
        self.ways = {port: list(map(Stage, found)) for port, found in self.vertex.routes.items()}
        self.onward = {port: stages[0] for port, stages in self.ways.items() if len(stages) == 1}
        return [stage for stages in self.ways.values() for stage in stages]

    def failed(self, cause: BaseException) -> Relayed:
        """What is sent where firing it raised this. Raises Failure when nothing takes it."""
        error = Error.from_exception(cause, node=self.vertex.name)
        if "error" in self.ways:
            return "error", error
        raise Failure(error, cause) from cause


class Tree:
    """A plan for which `is_tree` holds, as one function from a payload to the response."""

    __slots__ = ("_entries", "_entry")

    def __init__(self, plan: Plan) -> None:
        self._entries = [Stage(route) for route in plan.feeds]
        self._entry = self._entries[0]
        stack = list(self._entries)
        while stack:  # chains may be long
            stack += stack.pop().lead()

    def answer(self, payload: Payload) -> Payload:
        """The response of a process. Raises Failure."""
        if len(self._entries) > 1:
            return _follow(deque((stage, payload) for stage in self._entries), [])
        stage = self._entry
        while True:  # the same as `_follow`, while there is one packet
            try:
                port, payload = stage.relay(payload)
            except (Exception, SystemExit) as cause:
                port, payload = stage.failed(cause)
            following = stage.onward.get(port)
            if following is None:
                break
            stage = following
        if port and port not in stage.ways:
            return payload
        ready: deque[tuple[Stage, Payload]] = deque()
        leaves: Leaves = []
        _send(stage, port, payload, ready, leaves)
        return _follow(ready, leaves)


def _follow(ready: deque[tuple[Stage, Payload]], leaves: Leaves) -> Payload:
    """Fire what is ready and what follows from it: the response."""
    while ready:
        stage, payload = ready.popleft()
        try:
            port, payload = stage.relay(payload)
        except (Exception, SystemExit) as cause:
            port, payload = stage.failed(cause)
        _send(stage, port, payload, ready, leaves)
    if not leaves:
        return None
    if len(leaves) == 1:
        return leaves[0][1]
    return [payload for _, payload in sorted(leaves, key=lambda leaf: leaf[0])]


def _send(
    stage: Stage, port: str, payload: Payload, ready: deque[tuple[Stage, Payload]], leaves: Leaves
) -> None:
    outputs: Mapping[str, Payload] = {port: payload} if port else payload or {}
    travelled = False
    for way, stages in stage.ways.items():
        if way in outputs:
            travelled = True
            ready.extend((following, outputs[way]) for following in stages)
    if outputs and not travelled:
        leaf = next(iter(outputs.values())) if len(outputs) == 1 else dict(outputs)
        leaves.append((stage.vertex.order, leaf))


def _fired(vertex: Vertex, port: str, payload: Payload) -> Relayed:
    """What a vertex of any kind sends, as a relay says it."""
    base = vertex.base
    outputs = vertex.run({**base, port: payload} if base else {port: payload})
    if not vertex.normalised:
        outputs = checked(vertex, outputs)
    if outputs is None or len(outputs) != 1:
        return "", outputs
    [sent] = outputs
    return sent, outputs[sent]
