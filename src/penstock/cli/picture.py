"""What a drawing of a graph shows: its nodes with what became of them, and its links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from penstock.cli.tree import elapsed
from penstock.core.duration import format_seconds
from penstock.core.record import NodeRecord, RunRecord, firing
from penstock.core.spec import FlowSpec

_WORST_FIRST: Final = (
    "failed", "running", "retrying", "waiting", "cancelled", "completed", "skipped", "pending"
)  # fmt: skip


class Box(msgspec.Struct, frozen=True):
    """One node. state: that of all its firings together. note: their number or time."""

    key: str
    kind: str
    state: str
    note: str = ""


class Edge(msgspec.Struct, frozen=True):
    """One link. label: its ports, empty for the ordinary `out` to `in`."""

    source: str
    target: str
    label: str = ""


class Picture(msgspec.Struct, frozen=True):
    title: str
    state: str
    note: str
    boxes: list[Box]
    edges: list[Edge]

    @property
    def description(self) -> str:
        """The picture in words, for those who cannot see it."""
        return "; ".join(
            f"{box.key} ({box.kind}) {box.state}"
            + "".join(f", to {edge.target}" for edge in self.edges if edge.source == box.key)
            for box in self.boxes
        )


def picture(spec: FlowSpec, record: RunRecord, *, now: float) -> Picture:
    """The graph of a flow with the states of a run.

    Firings of one node are counted together: those of a loop's items, say.
    """
    firings: dict[str, list[NodeRecord]] = {}
    for process in record.processes.values():
        if _foreign(record, process.path):
            continue
        for node in record.children(process.path):
            firings.setdefault(node.node, []).append(node)
    known = {node.key for node in spec.nodes}
    return Picture(
        title=spec.name,
        state=record.state,
        note=took(record, now),
        boxes=[box(node.key, node.kind, firings.get(node.key, []), now) for node in spec.nodes],
        edges=[
            Edge(node.key, link.node, _label(link.port, link.to))
            for node in spec.nodes
            for link in node.links
            if link.node in known
        ],
    )


def took(record: RunRecord, now: float) -> str:
    """How long the run took, or takes so far."""
    if record.duration_ms is not None:
        return format_seconds(record.duration_ms / 1000)
    return format_seconds(now - record.started) if record.started is not None else ""


def _foreign(record: RunRecord, path: str) -> bool:
    """Whether a process, or one it is inside of, runs another flow."""
    while path:
        if record.processes[path].flow:
            return True
        path = firing(path).rpartition("/")[0]
    return False


def box(key: str, kind: str, firings: Sequence[NodeRecord], now: float) -> Box:
    """The box of a node: the worst state of its firings, and how many they are or how long it took."""
    counts = Counter(node.state.value for node in firings)
    state = next((state for state in _WORST_FIRST if counts[state]), "pending")
    if len(firings) == 1:
        seconds = elapsed(firings[0], now)
        note = format_seconds(seconds) if seconds is not None else ""
    elif firings and len(counts) > 1:
        note = f"{counts[state]} of {len(firings)}"
    else:
        note = f"×{len(firings)}" if firings else ""
    return Box(key=key, kind=kind, state=state, note=note)


def _label(port: str, to: str) -> str:
    if to == "in":
        return "" if port == "out" else port
    return to if port == "out" else f"{port} → {to}"
