"""What a run's journal already knows, folded from its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from penstock.core.events import NOTES, Event, EventType
from penstock.core.locks import LockRecord, record_lock
from penstock.core.payload import Error, Payload
from penstock.core.ports import Emit


class Past:
    """What is known of one firing.

    done: it has an outcome, `outputs` or `error`. masked: secrets in its outputs are
    masked, so that what it really sent is not known. failed_attempts: how many attempts
    failed before. until: the deadline of a backoff that had begun. began: when its last
    attempt did, in epoch seconds.
    """

    __slots__ = (
        "began",
        "done",
        "error",
        "failed_attempts",
        "kind",
        "many",
        "masked",
        "outputs",
        "until",
    )

    def __init__(self) -> None:
        self.done = False
        self.outputs: Payload = None
        self.many: tuple[str, ...] = ()
        self.masked = False
        self.error: Error | None = None
        self.failed_attempts = 0
        self.until: float | None = None
        self.kind = ""
        self.began: float | None = None

    def result(self) -> Payload:
        """The outputs as they were sent: several packets of a port are an `Emit` again."""
        if not self.many:
            return self.outputs
        return self.outputs | {port: Emit(self.outputs[port]) for port in self.many}


class ChildPast:
    """How a child process ended."""

    __slots__ = ("error", "result")

    def __init__(self, result: Payload, error: Error | None) -> None:
        self.result = result
        self.error = error


class Replay:
    """The recorded part of a run, and which of it has been asked for again.

    waited: the run only waited when it left memory, so that nothing begins anew with it.
    locks: by their ids. restarts: how often the flow has begun anew.
    """

    def __init__(self) -> None:
        self._firings: dict[str, Past] = {}
        self._children: dict[str, ChildPast] = {}
        self._timers: dict[str, float] = {}
        self._states: dict[str, dict[str, Payload]] = {}
        self._asked: set[str] = set()
        self._gathers: set[str] = set()
        self._repeats = False
        self._skipped: set[str] = set()
        self._notes: dict[str, int] = {}
        self._children_begun: set[str] = set()
        self.waited = False
        self.locks: dict[str, LockRecord] = {}
        self.restarts = 0

    @classmethod
    def fold(cls, events: Iterable[Event], *, repeats: bool = False) -> Replay:
        """The facts that a stream holds. A restart of the run forgets what was before.

        repeats: the events are those of another run, which this one repeats.
        """
        replay = cls()
        replay._repeats = repeats
        for event in events:
            apply = _APPLY.get(event.type)
            if apply is not None:
                apply(replay, event.node, event.data)
            if event.type == EventType.NODE_STARTED:
                replay._firings[event.node].began = event.time
                replay._notes.pop(event.node, None)
            elif event.type.startswith("lock."):
                record_lock(replay.locks, event)
            elif event.type in NOTES:
                replay._notes[event.node] = replay._notes.get(event.node, 0) + 1
        return replay

    def firing(self, name: str) -> Past | None:
        """What is known of a firing."""
        self._asked.add(name)
        return self._firings.get(name)

    def child(self, path: str) -> ChildPast | None:
        """How a child process ended, if it did."""
        self._asked.add(path)
        return self._children.get(path)

    def enter(self, place: str) -> None:
        """A gather of a Python flow was reached; its strands may be cut short again."""
        self._gathers.add(place)

    def goes_on(self, name: str) -> bool:
        """Whether a firing merely goes on with its wait, so that its start is told already."""
        past = self._firings.get(name)
        return past is not None and past.began is not None and (self.waited or self._at_lock(name))

    def _at_lock(self, name: str) -> bool:
        """Whether a firing only waits for candidates."""
        own = [lock for lock in self.locks.values() if lock.node == name and lock.open]
        return bool(own) and not any(lock.undecided() for lock in own)

    def child_goes_on(self, path: str) -> bool:
        """The same for a child process."""
        return self.waited and path in self._children_begun

    def told(self, name: str, *, firing: bool = True) -> int:
        """How many notes of a firing are in the stream and will be told again.

        A firing that merely goes on with its wait tells what it told before it; one that
        begins anew does so rightly. The code of a Python flow always runs from its start.
        """
        return self._notes.get(name, 0) if self.waited or not firing else 0

    def skipped(self, name: str) -> bool:
        """Whether it is told already that a node was skipped."""
        return name in self._skipped

    def states(self) -> dict[str, dict[str, Payload]]:
        """What nodes kept in `ctx.state`, as the last of their firings left it."""
        return {key: dict(state) for key, state in self._states.items()}

    def forget_inside(self, name: str) -> None:
        """Another attempt of a control node calls its children anew."""
        inside = f"{name}["
        for known in (self._firings, self._children, self._timers):
            for other in [other for other in known if other.startswith(inside)]:
                del known[other]
        self._children_begun -= {other for other in self._children_begun if other.startswith(inside)}

    def timer(self, name: str) -> float | None:
        """The deadline of a timer that was set, in epoch seconds."""
        return self._timers.get(name)

    def names(self) -> list[str]:
        """The firings and children that the journal speaks of."""
        return [*self._firings, *self._children]

    def unasked(self) -> str | None:
        """The first recorded outcome that nobody asked for, or None.

        What happened inside a finished child or firing is not asked for again. A run that
        repeats another one may take another way through its flow.
        """
        if self._repeats:
            return None
        for name, past in self._firings.items():
            if past.done and name not in self._asked and not self._inside_asked(name):
                return name
        return None

    def _inside_asked(self, name: str) -> bool:
        if any(name[:end] in self._asked for end, mark in enumerate(name) if mark in "/[" and end):
            return True
        place = name.rpartition("/")[2].partition("#")[2]
        return any(place[:end] in self._gathers for end, mark in enumerate(place) if mark == ".")

    def _past(self, name: str) -> Past:
        past = self._firings.get(name)
        if past is None:
            past = self._firings[name] = Past()
        return past

    def _run_started(self, _: str, data: dict[str, Any]) -> None:
        self._repeats = "retry_of" in data

    def _started(self, name: str, data: dict[str, Any]) -> None:
        self._past(name).kind = data.get("kind", "")

    def _completed(self, name: str, data: dict[str, Any]) -> None:
        past = self._past(name)
        past.done, past.error, past.until = True, None, None
        past.outputs = data.get("outputs")
        past.many = tuple(data.get("many", ()))
        past.masked = "masked" in data
        if "state" in data:
            self._states[_without_branch(name)] = data["state"]

    def _failed(self, name: str, data: dict[str, Any]) -> None:
        past = self._past(name)
        past.done, past.error, past.until = True, data["error"], None

    def _retrying(self, name: str, data: dict[str, Any]) -> None:
        past = self._past(name)
        past.failed_attempts = data["attempt"]
        past.began = None
        past.until = data["until"]
        self.forget_inside(name)

    def _waiting(self, _: str, data: dict[str, Any]) -> None:
        self._timers[data["timer"]] = data["until"]

    def _child(self, name: str, data: dict[str, Any]) -> None:
        if "masked" not in data:  # what it really answered comes out of its firings again
            self._children[name] = ChildPast(data.get("result"), data.get("error"))

    def _child_started(self, name: str, _: dict[str, Any]) -> None:
        self._children_begun.add(name)

    def _node_skipped(self, name: str, _: dict[str, Any]) -> None:
        self._skipped.add(name)

    def _run_waiting(self, _: str, __: dict[str, Any]) -> None:
        self.waited = True

    def _resumed(self, _: str, data: dict[str, Any]) -> None:
        self.waited = False
        if "restart" in data:
            self.restarts += 1
            self.locks.clear()
            self._skipped.clear()
            self._notes.clear()
            self._children_begun.clear()
            self._firings.clear()
            self._children.clear()
            self._timers.clear()
            self._states.clear()


def _without_branch(name: str) -> str:
    """The node of a firing: `each[3]/fetch` for `each[3]/fetch#0.1`."""
    path, slash, own = name.rpartition("/")
    return f"{path}{slash}{own.partition('#')[0]}"


_APPLY: Final[dict[str, Callable[[Replay, str, dict[str, Any]], None]]] = {
    EventType.RUN_STARTED: Replay._run_started,
    EventType.RUN_WAITING: Replay._run_waiting,
    EventType.CHILD_STARTED: Replay._child_started,
    EventType.NODE_SKIPPED: Replay._node_skipped,
    EventType.NODE_STARTED: Replay._started,
    EventType.NODE_COMPLETED: Replay._completed,
    EventType.NODE_FAILED: Replay._failed,
    EventType.NODE_RETRYING: Replay._retrying,
    EventType.NODE_WAITING: Replay._waiting,
    EventType.CHILD_COMPLETED: Replay._child,
    EventType.RUN_RESUMED: Replay._resumed,
}
