"""What a run's journal already knows, folded from its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from penstock.core.events import Event, EventType
from penstock.core.payload import Error, Payload


class Past:
    """What is known of one firing.

    done: it has an outcome, `outputs` or `error`. failed_attempts: how many attempts
    failed before. until: the deadline of a backoff that had begun.
    """

    __slots__ = ("done", "error", "failed_attempts", "kind", "outputs", "state", "until")

    def __init__(self) -> None:
        self.done = False
        self.outputs: Payload = None
        self.error: Error | None = None
        self.state: dict[str, Payload] | None = None
        self.failed_attempts = 0
        self.until: float | None = None
        self.kind = ""


class ChildPast:
    """How a child process ended."""

    __slots__ = ("error", "result")

    def __init__(self, result: Payload, error: Error | None) -> None:
        self.result = result
        self.error = error


class Replay:
    """The recorded part of a run, and which of it has been asked for again."""

    def __init__(self) -> None:
        self._firings: dict[str, Past] = {}
        self._children: dict[str, ChildPast] = {}
        self._timers: dict[str, float] = {}
        self._asked: set[str] = set()

    @classmethod
    def fold(cls, events: Iterable[Event]) -> Replay:
        """The facts that a stream holds. A restart of the run forgets what was before."""
        replay = cls()
        for event in events:
            apply = _APPLY.get(event.type)
            if apply is not None:
                apply(replay, event.node, event.data)
        return replay

    def firing(self, name: str) -> Past | None:
        """What is known of a firing."""
        past = self._firings.get(name)
        if past is not None:
            self._asked.add(name)
        return past

    def child(self, path: str) -> ChildPast | None:
        """How a child process ended, if it did."""
        past = self._children.get(path)
        if past is not None:
            self._asked.add(path)
        return past

    def timer(self, name: str) -> float | None:
        """The deadline of a timer that was set, in epoch seconds."""
        return self._timers.get(name)

    def names(self) -> list[str]:
        """The firings that the journal speaks of, in its order."""
        return list(self._firings)

    def unasked(self) -> str | None:
        """The first recorded outcome that nobody asked for, or None.

        What happened inside a finished child or firing is not asked for again.
        """
        for name, past in self._firings.items():
            if past.done and name not in self._asked and not self._inside_asked(name):
                return name
        return None

    def _inside_asked(self, name: str) -> bool:
        return any(
            name[:end] in self._asked for end, mark in enumerate(name) if mark in "/[" and name[:end]
        )

    def _past(self, name: str) -> Past:
        past = self._firings.get(name)
        if past is None:
            past = self._firings[name] = Past()
        return past

    def _started(self, name: str, data: dict[str, Any]) -> None:
        self._past(name).kind = data.get("kind", "")

    def _completed(self, name: str, data: dict[str, Any]) -> None:
        past = self._past(name)
        past.done, past.error, past.until = True, None, None
        past.outputs = data.get("outputs")
        past.state = data.get("state")

    def _failed(self, name: str, data: dict[str, Any]) -> None:
        past = self._past(name)
        past.done, past.error, past.until = True, data["error"], None

    def _retrying(self, name: str, data: dict[str, Any]) -> None:
        past = self._past(name)
        past.failed_attempts = data["attempt"]
        past.until = data["until"]
        # Another attempt of a control node calls its children anew.
        inside = f"{name}["
        for known in (self._firings, self._children):
            for other in [other for other in known if other.startswith(inside)]:
                del known[other]

    def _waiting(self, _: str, data: dict[str, Any]) -> None:
        self._timers[data["timer"]] = data["until"]

    def _child(self, name: str, data: dict[str, Any]) -> None:
        self._children[name] = ChildPast(data.get("result"), data.get("error"))

    def _resumed(self, _: str, data: dict[str, Any]) -> None:
        if "restart" in data:
            self._firings.clear()
            self._children.clear()
            self._timers.clear()


_APPLY: Final[dict[str, Callable[[Replay, str, dict[str, Any]], None]]] = {
    EventType.NODE_STARTED: Replay._started,
    EventType.NODE_COMPLETED: Replay._completed,
    EventType.NODE_FAILED: Replay._failed,
    EventType.NODE_RETRYING: Replay._retrying,
    EventType.NODE_WAITING: Replay._waiting,
    EventType.CHILD_COMPLETED: Replay._child,
    EventType.RUN_RESUMED: Replay._resumed,
}
