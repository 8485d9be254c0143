"""Trees: plans in which a packet can reach each vertex in one way only.

Nothing joins in them, so nothing has to be waited for, and a process of plain nodes needs
none of the bookkeeping of process.py: it follows the packets. Most of what hangs from an
HTTP route is of this shape, and this is what such a request costs. What a `block` or a `step`
holds may be a tree within the tree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from penstock.core.payload import Error, Payload
from penstock.engine.firing import Failure
from penstock.engine.holder import Holder
from penstock.engine.kind import NOTHING, Relay, Relayed
from penstock.engine.outputs import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.engine.plan import Plan, Route, Vertex

Leaves = list[tuple[int, Payload]]
"""What leaves contribute, each with its vertex's place in the order of links."""


def is_tree(plan: Plan) -> bool:
    """Whether what hangs from a called port can be run as a `Tree` of its feeds."""
    return bool(plan.feeds) and _branches_only(plan)


def _branches_only(plan: Plan) -> bool:
    return not plan.outputs and all(
        vertex.solo and not vertex.many_ports and (vertex.plain or bool(_held(vertex)))
        for vertex in plan.vertices
    )


def _held(vertex: Vertex) -> Sequence[Route]:
    """Where a packet enters the tree that a vertex holds; nowhere, if it holds none."""
    node = vertex.node
    if not isinstance(node, Holder) or node.graph is None or vertex.retry or vertex.timeout:
        return ()
    plan = node.graph.plan
    return plan.inlets.get("in", ()) if len(plan.inlets) == 1 and _branches_only(plan) else ()


class Stage:
    """A vertex of a tree. path: leads the name of its firing.

    relay: fires it; by which port it sends, and what. Where it sends by several, or not at all,
    the port is empty, and the payload is its outputs. onward: the one stage that a port leads
    to. ways: the stages that its ports lead to.
    """

    __slots__ = ("onward", "path", "relay", "vertex", "ways")

    def __init__(self, route: Route, path: str) -> None:
        self.vertex = route.target
        self.path = path
        self.relay = _relay(route, path)
        self.onward: dict[str, Stage] = {}
        self.ways: dict[str, list[Stage]] = {}

    def lead(self) -> list[Stage]:
        """Make the stages behind this one."""
        for port, routes in self.vertex.routes.items():
            self.ways[port] = [Stage(route, self.path) for route in routes]
        self.onward = {port: stages[0] for port, stages in self.ways.items() if len(stages) == 1}
        return [stage for stages in self.ways.values() for stage in stages]

    def failed(self, cause: BaseException) -> Relayed:
        """What is sent where firing it raised this. Raises Failure when nothing takes it."""
        if isinstance(cause, Failure):  # of a tree within
            error, cause = cause.error, cause.cause
        else:
            error = Error.from_exception(cause, node=self.path + self.vertex.name)
        if "error" in self.ways:
            return "error", error
        raise Failure(error, cause) from cause


class Tree:
    """The tree that some routes enter, as one function from a payload to the response."""

    __slots__ = ("_entries", "_entry")

    def __init__(self, routes: Sequence[Route], *, path: str = "") -> None:
        self._entries = [Stage(route, path) for route in routes]
        self._entry = self._entries[0]
        stack = list(self._entries)
        while stack:  # chains may be long
            stack += stack.pop().lead()

    def answer(self, payload: Payload) -> Payload:
        """The response of a process. Raises Failure."""
        if len(self._entries) > 1:
            return self.relay(payload)[1]
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
        return _follow(ready, leaves)[1]

    def relay(self, payload: Payload) -> Relayed:
        """The same for a node that holds the tree: it sends the response, if there is one."""
        return _follow(deque((stage, payload) for stage in self._entries), [])


def _relay(route: Route, path: str) -> Callable[[Payload], Relayed]:
    """What fires a vertex with the packet of a route."""
    vertex, node = route.target, route.target.node
    if isinstance(node, Relay) and node.normalised:
        return node.relay
    if isinstance(node, Holder):
        return Tree(_held(vertex), path=node.inside(path + vertex.name)).relay
    return partial(_fired, vertex, route.port)


def _fired(vertex: Vertex, port: str, payload: Payload) -> Relayed:
    """What a vertex of any other kind sends, as a relay says it."""
    base = vertex.base
    outputs = vertex.run({**base, port: payload} if base else {port: payload})
    if not vertex.normalised:
        outputs = checked(vertex, outputs)
    if outputs is None or len(outputs) != 1:
        return "", outputs
    [sent] = outputs
    return sent, outputs[sent]


def _follow(ready: deque[tuple[Stage, Payload]], leaves: Leaves) -> Relayed:
    """Fire what is ready and what follows from it: the response, by `out`."""
    while ready:
        stage, payload = ready.popleft()
        try:
            port, payload = stage.relay(payload)
        except (Exception, SystemExit) as cause:
            port, payload = stage.failed(cause)
        _send(stage, port, payload, ready, leaves)
    if not leaves:
        return NOTHING
    if len(leaves) == 1:
        return "out", leaves[0][1]
    return "out", [payload for _, payload in sorted(leaves, key=lambda leaf: leaf[0])]


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
