"""The response of a process: what its leaves contributed, or what its flow names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from penstock.core.ports import Emit

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.engine.gate import Branch
    from penstock.engine.plan import Plan, Vertex


class Response:
    """Gathers what firings contribute, in whatever order they end."""

    __slots__ = ("_captured", "_leaves")

    def __init__(self) -> None:
        self._leaves: list[tuple[int, Branch, Payload]] = []
        self._captured: dict[str, list[tuple[int, Branch, Payload]]] = {}

    def add(self, vertex: Vertex, outputs: Mapping[str, Payload], branch: Branch) -> None:
        """Take what a firing emitted, as far as the response wants it."""
        if outputs and not any(port in vertex.routes and _travels(outputs[port]) for port in outputs):
            self._add_leaf(vertex, outputs, branch)
        for field, port in vertex.captures:
            if port in outputs:
                self._captured.setdefault(field, []).append((vertex.order, branch, outputs[port]))

    def _add_leaf(self, vertex: Vertex, outputs: Mapping[str, Payload], branch: Branch) -> None:
        """A firing none of whose packets travelled contributes what it emitted."""
        sent = {port: _shown(payload) for port, payload in outputs.items() if _travels(payload)}
        if sent:
            payload = next(iter(sent.values())) if len(sent) == 1 else sent
            self._leaves.append((vertex.order, branch, payload))

    def value(self, plan: Plan) -> Payload:
        """The response, when every vertex of the plan has settled."""
        if plan.outputs:
            return {field: self._output(field) for field in plan.outputs}
        leaves = self._leaves
        if not leaves:
            return None
        if len(leaves) == 1:
            return leaves[0][2]
        return [payload for _, _, payload in sorted(leaves, key=lambda leaf: leaf[:2])]

    def _output(self, field: str) -> Payload:
        """A named output: one payload, or a list where the node fired several times."""
        found = [_shown(payload) for payload in self._in_order(field)]
        return found if len(found) > 1 else next(iter(found), None)

    def _in_order(self, field: str) -> list[Payload]:
        found = self._captured.get(field, [])
        return [payload for _, _, payload in sorted(found, key=lambda item: item[:2])]

    def packets(self, plan: Plan) -> dict[str, list[Payload]]:
        """What leaves a graph that stands for a node: the packets of each of its out-ports.

        A graph that names none has its response leave by `out`, if there is one.
        """
        if not plan.outputs:
            return {"out": [self.value(plan)]} if self._leaves else {}
        found = {
            port: list(chain.from_iterable(map(_packets, self._in_order(port)))) for port in plan.outputs
        }
        return {port: packets for port, packets in found.items() if packets}


def _travels(payload: Payload) -> bool:
    """Whether there is a packet: an `Emit` may hold none."""
    return type(payload) is not Emit or bool(payload)


def _packets(payload: Payload) -> Sequence[Payload]:
    return payload if type(payload) is Emit else (payload,)


def _shown(payload: Payload) -> Payload:
    return list(payload) if type(payload) is Emit else payload
