"""A run as a tree of rows: firings, and under each the processes it started.

Large runs are folded: what is done shrinks to a count, what is active or failed stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from penstock.core.duration import format_seconds
from penstock.core.record import NodeRecord, NodeState, RunRecord

MAX_SIBLINGS: Final = 6
"""How many processes of one firing are shown before the others are folded."""


class Row(msgspec.Struct, frozen=True):
    """One line. guide: the branches to its left. fraction: progress from 0 to 1, or None."""

    guide: str
    label: str
    state: str = ""
    kind: str = ""
    text: str = ""
    fraction: float | None = None
    seconds: float | None = None


def rows(record: RunRecord, *, now: float, fold: bool = True, limit: int | None = None) -> list[Row]:
    """The tree of the whole run. fold: hide what is inside firings that are done.

    limit: at most so many rows; the first of what is done gives way to a count.
    """
    found = _process(record, "", "", now=now, fold=fold)
    if limit is not None and len(found) > limit:
        found = _shorten(found, max(limit, 2))
    return found


def elapsed(node: NodeRecord, now: float) -> float | None:
    """Seconds that a firing took, or takes so far, attempts and waits included; None before."""
    if node.duration_ms is not None and len(node.spans) <= 1:
        return node.duration_ms / 1000
    if node.started is None or node.state in (NodeState.SKIPPED, NodeState.PENDING):
        return None
    return (now if node.ended is None else node.ended) - node.started


def remark(node: NodeRecord, now: float) -> str:
    """What there is to say about a firing, in one short line."""
    if node.state is NodeState.FAILED and node.error:
        return node.error.message.partition("\n")[0]
    if node.state is NodeState.RETRYING:
        message = node.error.message.partition("\n")[0] if node.error else ""
        return f"attempt {node.attempts} failed, next {_until(node, now)}" + (message and f": {message}")
    if node.state is NodeState.WAITING and node.asks:
        return f"asks: {node.asks}"
    if node.state is NodeState.WAITING:
        return f"goes on {_until(node, now)}"
    if node.status and node.state.active:
        return node.status
    if node.notes and node.state.active:
        return node.notes[-1].text.partition("\n")[0]
    return f"{node.attempts} attempts" if node.attempts > 1 else ""


def _until(node: NodeRecord, now: float) -> str:
    if node.wake_at is None:
        return "when it is woken"
    return f"in {format_seconds(node.wake_at - now)}" if node.wake_at > now else "now"


def _process(record: RunRecord, path: str, indent: str, *, now: float, fold: bool) -> list[Row]:
    found: list[Row] = []
    nodes = record.children(path)
    for number, node in enumerate(nodes):
        last = number == len(nodes) - 1
        found.append(
            Row(
                guide=indent + ("└─ " if last else "├─ "),
                label=node.name,
                state=node.state,
                kind=node.kind,
                text=remark(node, now),
                fraction=node.progress if node.state.active else None,
                seconds=elapsed(node, now),
            )
        )
        if node.processes and not (fold and node.state.settled):
            below = indent + ("   " if last else "│  ")
            found.extend(_calls(record, node, below, now=now, fold=fold))
    return found


def _calls(record: RunRecord, node: NodeRecord, indent: str, *, now: float, fold: bool) -> list[Row]:
    """The child processes of a firing, each with what is inside."""
    processes = [record.processes[path] for path in node.processes]
    if len(processes) == 1 and not processes[0].key:
        return _process(record, processes[0].path, indent, now=now, fold=fold)
    shown = processes
    if fold and len(processes) > MAX_SIBLINGS:
        open_ones = [process for process in processes if process.state != "completed"]
        shown = open_ones[:MAX_SIBLINGS]
    found: list[Row] = []
    hidden = len(processes) - len(shown)
    if hidden:
        counts = Counter(process.state.value for process in processes)
        text = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        found.append(Row(guide=indent + ("├─ " if shown else "└─ "), label="…", text=text))
    for number, process in enumerate(shown):
        last = number == len(shown) - 1
        ended = process.ended if process.ended is not None else now
        found.append(
            Row(
                guide=indent + ("└─ " if last else "├─ "),
                label=process.key or process.path.rpartition("/")[2],
                state=process.state,
                text=process.flow,
                seconds=ended - process.started if process.started is not None else None,
            )
        )
        if not (fold and process.state == "completed"):
            inside = indent + ("   " if last else "│  ")
            found.extend(_process(record, process.path, inside, now=now, fold=fold))
    return found


def _shorten(found: list[Row], limit: int) -> list[Row]:
    """Drop rows of what is done, first ones first, then the last rows, and count them."""
    excess = len(found) - limit + 1
    kept: list[Row] = []
    dropped: list[Row] = []
    for row in found:
        if len(dropped) < excess and row.state in ("completed", "skipped", ""):
            dropped.append(row)
        else:
            kept.append(row)
    tail = kept[limit - 1 :]
    return [Row(guide="", label="…", text=_count((*dropped, *tail))), *kept[: limit - 1]]


def _count(dropped: Iterable[Row]) -> str:
    counts = Counter(row.state for row in dropped if row.state)
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) + " not shown"
