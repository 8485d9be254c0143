"""Trees: plans in which a packet can reach each vertex in one way only.

Nothing joins in them, so nothing has to be waited for, and a process of plain nodes needs
none of the bookkeeping of process.py: it follows the packets. Most of what hangs from an
HTTP route is of this shape, and this is what such a request costs.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from penstock.core.payload import Error, Payload
from penstock.engine.firing import Failure
from penstock.engine.outputs import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.engine.plan import Plan, Vertex

Leaves = list[tuple[int, Payload]]
"""What leaves contribute, each with its vertex's place in the order of links."""


def is_tree(plan: Plan) -> bool:
    """Whether a called plan can be run by `run_tree`."""
    return (
        plan.inline
        and not plan.outputs
        and bool(plan.feeds)
        and all(vertex.solo and not vertex.many_ports for vertex in plan.vertices)
    )


def run_tree(plan: Plan, payload: Payload) -> Payload:
    """The response of a process of this plan. Raises Failure."""
    feeds = plan.feeds
    vertex, port = feeds[0].target, feeds[0].port
    if len(feeds) > 1:
        return _run_all(deque((route.target, route.port, payload) for route in feeds), [])
    while True:  # the same as `_fire`, without the price of a call
        base = vertex.base
        try:
            outputs = vertex.run({**base, port: payload} if base else {port: payload})
            if not vertex.normalised:
                outputs = checked(vertex, outputs)
        except (Exception, SystemExit) as cause:
            outputs = _failed(vertex, cause)
        if not outputs:
            return None
        if len(outputs) != 1:
            break
        [(sent, found)] = outputs.items()
        routes = vertex.routes.get(sent)
        if routes is None:
            return found
        if len(routes) != 1:
            break
        vertex, port, payload = routes[0].target, routes[0].port, found
    ready: deque[tuple[Vertex, str, Payload]] = deque()
    leaves: Leaves = []
    _send(vertex, outputs, ready, leaves)
    return _run_all(ready, leaves)


def _run_all(ready: deque[tuple[Vertex, str, Payload]], leaves: Leaves) -> Payload:
    while ready:
        vertex, port, payload = ready.popleft()
        outputs = _fire(vertex, port, payload)
        if outputs:
            _send(vertex, outputs, ready, leaves)
    if not leaves:
        return None
    if len(leaves) == 1:
        return leaves[0][1]
    return [payload for _, payload in sorted(leaves, key=lambda leaf: leaf[0])]


def _fire(vertex: Vertex, port: str, payload: Payload) -> Mapping[str, Payload] | None:
    base = vertex.base
    inputs = {**base, port: payload} if base else {port: payload}
    try:
        outputs: Mapping[str, Payload] | None = vertex.run(inputs)
        return outputs if vertex.normalised else checked(vertex, outputs)
    except (Exception, SystemExit) as cause:
        return _failed(vertex, cause)


def _failed(vertex: Vertex, cause: BaseException) -> Mapping[str, Payload]:
    """What a failed vertex sends. Raises Failure when nothing takes it."""
    error = Error.from_exception(cause, node=vertex.name)
    if "error" in vertex.routes:
        return {"error": error}
    raise Failure(error, cause) from cause


def _send(
    vertex: Vertex,
    outputs: Mapping[str, Payload],
    ready: deque[tuple[Vertex, str, Payload]],
    leaves: Leaves,
) -> None:
    travelled = False
    for port, routes in vertex.routes.items():
        if port in outputs:
            travelled = True
            ready.extend((route.target, route.port, outputs[port]) for route in routes)
    if outputs and not travelled:
        payload = next(iter(outputs.values())) if len(outputs) == 1 else dict(outputs)
        leaves.append((vertex.order, payload))
