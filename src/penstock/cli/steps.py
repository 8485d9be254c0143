"""The picture of a Python flow: its steps as the run took them.

The place of a step tells where it stands: `name#3` is the third operation of the flow, and
`name#3.0.1` the first one in strand 0 of the gather that is the third.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from penstock.cli.picture import Box, Edge, Picture, box, took
from penstock.core.record import NodeRecord, RunRecord

MAX_STRANDS: Final = 6
"""Strands of one gather that are drawn side by side; the firings of more are counted together."""

_Placed = tuple[tuple[int, ...], NodeRecord]


def picture_of_steps(record: RunRecord, *, now: float) -> Picture:
    """The steps of a run of a Python flow in their order, with the states they are in."""
    sketch = _Sketch(now)
    sketch.sequence([_placed(node) for node in record.children()], "")
    return Picture(
        title=record.flow,
        state=record.state,
        note=took(record, now),
        boxes=sketch.boxes,
        edges=sketch.edges,
    )


class _Sketch:
    """Boxes and edges so far."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []

    def sequence(self, placed: Iterable[_Placed], before: str) -> tuple[list[str], list[str]]:
        """Draw operations one below the other. Returns the keys of the first and the last ones."""
        operations: dict[int, list[_Placed]] = {}
        for place, node in placed:
            operations.setdefault(place[0], []).append((place[1:], node))
        first: list[str] = []
        last: list[str] = []
        for number in sorted(operations):
            begin, end = self._operation(operations[number], f"{before}{number}")
            self.edges += [Edge(source, target) for source in last for target in begin]
            first, last = first or begin, end
        return first, last

    def _operation(self, placed: list[_Placed], place: str) -> tuple[list[str], list[str]]:
        """Draw one operation: a step, or the strands of a gather side by side."""
        inner = [(rest, node) for rest, node in placed if rest]
        begin, end = self._steps([node for rest, node in placed if not rest], place)
        strands: dict[int, list[_Placed]] = {}
        for rest, node in inner:
            strands.setdefault(rest[0], []).append((rest[1:], node))
        if len(strands) > MAX_STRANDS:
            together = [found for strand in strands.values() for found in strand]
            first, last = self.sequence(together, f"{place}.*.")
            return begin + first, end + last
        for number in sorted(strands):
            first, last = self.sequence(strands[number], f"{place}.{number}.")
            begin, end = begin + first, end + last
        return begin, end

    def _steps(self, nodes: list[NodeRecord], place: str) -> tuple[list[str], list[str]]:
        """A box for each name: one firing, or those of many strands."""
        named: dict[str, list[NodeRecord]] = {}
        for node in nodes:
            named.setdefault(node.node, []).append(node)
        keys = [f"{name}#{place}" for name in named]
        self.boxes += [
            box(key, firings[0].kind, firings, self.now)
            for key, firings in zip(keys, named.values(), strict=True)
        ]
        return keys, list(keys)


def _placed(node: NodeRecord) -> _Placed:
    place = node.name.partition("#")[2]
    return tuple(int(part) for part in place.split(".") if part.isdigit()) or (0,), node
