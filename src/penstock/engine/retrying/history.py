"""What became of the firings and child processes of a run, as far as a retry asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core.events import EventType
from penstock.core.payload import Error
from penstock.core.record import firing

if TYPE_CHECKING:
    from penstock.core.events import Event


class History:
    """The firings and child processes of a run, by their names.

    began, ended: the seqs of the events that say so. kinds: of firings. calls: what is said of a
    child process when it begins. completed: the events of those that need not be done again, in
    order. failed: those of firings that failed for good.
    What came before the flow began anew, or inside a firing before its last attempt, does not
    count.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.began: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.kinds: dict[str, str] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.completed: dict[str, Event] = {}
        self.failed: dict[str, Event] = {}
        for event in events:
            self._apply(event)
        self._firings: dict[str, list[str]] = {}
        for name in dict.fromkeys(map(firing, (*self.began, *self.ended))):
            self._firings.setdefault(process_of(name), []).append(name)

    def firings(self, process: str) -> list[str]:
        """The firings directly inside a process, in the order they began."""
        return self._firings.get(process, [])

    def __contains__(self, name: str) -> bool:
        """Whether there was such a firing."""
        return name in self.firings(process_of(name))

    def __iter__(self) -> Iterator[str]:
        """All firings."""
        return (name for names in self._firings.values() for name in names)

    def _apply(self, event: Event) -> None:
        name = event.node
        match event.type:
            case EventType.RUN_RESUMED if "restart" in event.data:
                for known in (self.began, self.ended, self.calls, self.completed, self.failed):
                    known.clear()
            case EventType.NODE_RETRYING:
                self._forget_inside(name)
            case EventType.NODE_STARTED:
                self.began[name] = event.seq
                self.kinds[name] = event.data.get("kind", "")
            case EventType.CHILD_STARTED:
                self.began[name] = event.seq
                self.calls[name] = event.data
            case EventType.NODE_COMPLETED | EventType.CHILD_COMPLETED:
                self._end(event)
                if not isinstance(event.data.get("error"), Error):
                    self.completed[name] = event
            case EventType.NODE_FAILED:
                self._end(event)
                self.failed[name] = event

    def _end(self, event: Event) -> None:
        self.began.setdefault(event.node, event.seq)  # of some, only the end is recorded
        self.ended[event.node] = event.seq
        self.completed.pop(event.node, None)
        self.failed.pop(event.node, None)

    def _forget_inside(self, name: str) -> None:
        """What a child process is called with stays: not every stream says it again."""
        inside = (f"{name}[", f"{name}/")
        for known in (self.began, self.ended, self.completed, self.failed):
            for other in [other for other in known if other.startswith(inside)]:
                del known[other]


def process_of(name: str) -> str:
    """The path of the process that a firing is directly inside of; empty for the run itself."""
    return name.rpartition("/")[0]
