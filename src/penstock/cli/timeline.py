"""The timeline of a run: one bar per firing on a common scale."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

import msgspec

from penstock.cli.tree import elapsed
from penstock.core.duration import format_seconds
from penstock.core.record import NodeRecord, NodeState, RunRecord

MAX_ROWS: Final = 40
MAX_CHILDREN: Final = 8
"""A firing with more firings inside is drawn as one bar."""

_WAITS: Final = frozenset({NodeState.WAITING, NodeState.RETRYING})


class Bar(msgspec.Struct, frozen=True):
    """One row. cells: runs of characters with the state they stand for, left to right."""

    label: str
    state: str
    cells: list[tuple[str, str]]
    time: str = ""

    @property
    def text(self) -> str:
        return "".join(cells for cells, _ in self.cells)


class Timeline(msgspec.Struct, frozen=True):
    """All bars, and how many more found no room."""

    bars: list[Bar]
    hidden: int


def timeline(record: RunRecord, *, now: float, width: int) -> Timeline:
    """The bars of a run. width: characters of the longest bar, at least 8."""
    start = record.started if record.started is not None else now
    end = max(record.ended if record.ended is not None else now, start)
    scale = _Scale(start, max(end - start, 1e-9), max(width, 8))
    found = list(_visible(record, "", 0))
    bars = [
        Bar(
            label="  " * depth + _label(node),
            state=node.state,
            cells=_cells(node, scale, end),
            time=format_seconds(elapsed(node, end) or 0.0),
        )
        for node, depth in found[:MAX_ROWS]
    ]
    return Timeline(bars=bars, hidden=len(found) - len(bars))


class _Scale:
    """Seconds to half cells: a bar may begin and end in the middle of a character."""

    def __init__(self, start: float, seconds: float, width: int) -> None:
        self.start = start
        self.per_half = seconds / (2 * width)
        self.halves = 2 * width

    def half(self, time: float) -> int:
        return min(max(round((time - self.start) / self.per_half), 0), self.halves)


def _visible(record: RunRecord, process: str, depth: int) -> Iterator[tuple[NodeRecord, int]]:
    nodes = [node for node in record.children(process) if node.started is not None and node.spans]
    for node in sorted(nodes, key=lambda node: node.started or 0.0):
        yield node, depth
        inside = sum(len(record.processes[path].nodes) for path in node.processes)
        if inside <= MAX_CHILDREN:
            for path in node.processes:
                yield from _visible(record, path, depth + 1)


def _label(node: NodeRecord) -> str:
    count = len(node.processes)
    return f"{node.name} ×{count}" if count > 1 else node.name


def _cells(node: NodeRecord, scale: _Scale, now: float) -> list[tuple[str, str]]:
    """The bar: two halves per character, so that short spans keep their place."""
    halves: list[NodeState | None] = [None] * scale.halves
    for span in node.spans:
        first = min(scale.half(span.start), scale.halves - 1)
        last = max(scale.half(now if span.end is None else span.end), first + 1)
        halves[first:last] = [span.state] * (last - first)
    pairs = zip(halves[::2], halves[1::2], strict=True)
    drawn = [_character(left, right) for left, right in pairs]
    return [
        ("".join(character for character, _ in run), state)
        for state, run in groupby(drawn, key=lambda cell: cell[1])
    ]


def _character(left: NodeState | None, right: NodeState | None) -> tuple[str, str]:
    state = right if left is None or (left in _WAITS and right is not None) else left
    if state is None:
        return " ", ""
    if state in _WAITS:
        return "┈", state
    if left is None:
        return "╺", state
    return ("╸" if right is None else "━"), state
