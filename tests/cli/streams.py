"""Streams of events made by hand."""

from __future__ import annotations

from typing import Any

from penstock.core.events import Event
from penstock.core.record import RunRecord

START = 1_000_000.0
"""When every synthetic run starts, in epoch seconds."""


class Stream:
    """Events of one run, made by hand."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, seconds: float, event: str, node: str = "", /, **data: Any) -> None:
        """An event so many seconds after the start of the run."""
        self.events.append(Event(len(self.events) + 1, START + seconds, event, node, data))

    def node(self, start: float, end: float, path: str, kind: str = "nop") -> None:
        """A firing that completes at its first attempt."""
        self.add(start, "node.started", path, kind=kind, attempt=1)
        self.add(end, "node.completed", path, outputs={}, duration_ms=(end - start) * 1000)

    @property
    def record(self) -> RunRecord:
        return RunRecord.fold(self.events, fid="1m7w0z1k99sgqkwqt7pw")
