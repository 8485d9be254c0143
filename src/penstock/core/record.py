"""The record of a run: what its stream says, folded into one picture.

A run is a tree of processes. The root process is the run; a control node's firing starts
child processes. A firing is addressed by its path (`each[3]/parse`): the path of its
process (`each[3]`), a slash, and its node; a node that fires several times in one process
adds the branch that its packet took (`parse#1`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from penstock.core.events import Event, EventType
from penstock.core.locks import LockRecord, record_lock
from penstock.core.payload import Error, Payload, to_json
from penstock.core.states import RunState, transition
from penstock.core.store import INLINE

_CALL: Final = re.compile(r"(?P<firing>.+?)(?P<key>\[[^\[\]]*\])?")


class NodeState(StrEnum):
    """Where a firing stands. `retrying` waits for its next attempt."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        return self in _ACTIVE

    @property
    def settled(self) -> bool:
        return self in _SETTLED


_ACTIVE: Final = frozenset({NodeState.RUNNING, NodeState.WAITING, NodeState.RETRYING})
_SETTLED: Final = frozenset(
    {NodeState.COMPLETED, NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED}
)


class Span(msgspec.Struct):
    """What a firing did for a while: an attempt, or a wait. Epoch seconds; open while it lasts."""

    state: NodeState
    start: float
    end: float | None = None


class Note(msgspec.Struct, frozen=True):
    """Something a node said. source: `message`, `stdout`, `stderr` or `data`; seq: its event."""

    seq: int
    time: float
    node: str
    source: str
    level: str
    text: str


class NodeRecord(msgspec.Struct):
    """One firing. started, ended: epoch seconds. processes: the child processes it started.

    asks: the title of the lock that it opened last.
    """

    path: str
    kind: str = ""
    state: NodeState = NodeState.PENDING
    attempts: int = 0
    started: float | None = None
    ended: float | None = None
    duration_ms: float | None = None
    outputs: Payload = None
    error: Error | None = None
    progress: float | None = None
    status: str = ""
    wake_at: float | None = None
    asks: str = ""
    spans: list[Span] = []
    notes: list[Note] = []
    processes: list[str] = []

    @property
    def name(self) -> str:
        """The firing's own name, without the path of its process."""
        return self.path.rpartition("/")[2]

    @property
    def node(self) -> str:
        """The name of the node that fired."""
        return self.name.partition("#")[0]


class ProcessRecord(msgspec.Struct):
    """One process of the run; the root has the empty path. nodes: the paths of its firings.

    flow: the name of the flow it runs, when that is not the one of its parent.
    """

    path: str
    flow: str = ""
    state: RunState = RunState.RUNNING
    started: float | None = None
    ended: float | None = None
    nodes: list[str] = []

    @property
    def key(self) -> str:
        """What tells this process from its siblings: `[3]`, or empty for an only one."""
        found = _CALL.fullmatch(self.path)
        return (found["key"] or "") if found else ""


class RunRecord(msgspec.Struct):
    """A run as its stream tells it. `apply` takes the events one by one, in order."""

    fid: str = ""
    state: RunState = RunState.PENDING
    flow: str = ""
    revision: str = ""
    inputs: dict[str, Payload] = {}
    executor: str = INLINE
    result: Payload = None
    error: Error | None = None
    reason: str = ""
    started: float | None = None
    ended: float | None = None
    duration_ms: float | None = None
    wake_at: float | None = None
    failures: list[Payload] = []
    restarts: int = 0
    seq: int = 0
    nodes: dict[str, NodeRecord] = {}
    processes: dict[str, ProcessRecord] = {}
    locks: dict[str, LockRecord] = {}
    said: list[Note] = []

    @classmethod
    def fold(cls, events: Iterable[Event], *, fid: str = "") -> RunRecord:
        """The record after all these events. Raises IllegalTransition on a broken stream."""
        record = cls(fid=fid)
        for event in events:
            record.apply(event)
        return record

    def apply(self, event: Event) -> None:
        """Take the next event. One whose seq was seen already changes nothing."""
        if event.seq <= self.seq:
            return
        self.state = transition(self.state, event.type)
        self.seq = event.seq
        subject, _, _ = event.type.partition(".")
        if subject in ("run", "lock"):
            record_lock(self.locks, event)
        if subject == "run":
            self._apply_run(event)
        elif subject == "child":
            self._apply_child(event)
        elif event.node:
            apply = _apply_lock if subject == "lock" else _apply_node
            apply(self._node(event.node), event)
        elif event.type == EventType.LOCK_RELEASED:
            self.inputs = event.data["value"]  # what the run asked for before its flow could begin
        else:
            self.said += filter(None, [_note(event)])

    @property
    def open_locks(self) -> list[LockRecord]:
        """The locks that take candidates now, in the order they were opened."""
        return [lock for lock in self.locks.values() if lock.open]

    def children(self, process: str = "") -> list[NodeRecord]:
        """The firings directly inside a process, in the order they began."""
        found = self.processes.get(process)
        return [self.nodes[path] for path in found.nodes] if found else []

    def notes(self) -> list[Note]:
        """Everything the nodes and the run itself said, in the order of the stream."""
        of_nodes = (note for node in self.nodes.values() for note in node.notes)
        return sorted((*self.said, *of_nodes), key=_by_seq)

    def _apply_run(self, event: Event) -> None:
        data = event.data
        match event.type:
            case EventType.RUN_STARTED:
                self.started = event.time
                self.flow = data.get("flow", "")
                self.revision = data.get("revision", "")
                self.inputs = data.get("inputs") or {}
                self.executor = data.get("executor", INLINE)
            case EventType.RUN_WAITING:
                self.wake_at = data.get("until")
            case EventType.RUN_RESUMED:
                self._resume(event)
            case EventType.RUN_COMPLETED | EventType.RUN_FAILED | EventType.RUN_CANCELLED:
                self._end(event)

    def _resume(self, event: Event) -> None:
        self.wake_at = None
        if event.data.get("reason") == "restart":
            self.restarts = int(event.data.get("restart", self.restarts + 1))
            self.nodes, self.processes = {}, {}
            return
        if event.data.get("reason") == "recovery" or "lost" in event.data:
            for node in self.nodes.values():
                # The process that ran it is gone: it was cut off, and will start again.
                if node.state is NodeState.RUNNING and not node.processes:
                    _close(node, event.time)
                    node.state = NodeState.PENDING

    def _end(self, event: Event) -> None:
        data = event.data
        self.ended = event.time
        self.wake_at = None
        self.result = data.get("result")
        self.error = data.get("error")
        self.reason = data.get("reason", "")
        self.failures = data.get("failures") or []
        self.duration_ms = data.get("duration_ms")
        if self.duration_ms is None and self.started is not None:
            self.duration_ms = (self.ended - self.started) * 1000
        for node in self.nodes.values():
            if not node.state.settled:
                _settle(node, NodeState.CANCELLED, event)
        for process in self.processes.values():
            if not process.state.terminal:
                process.state, process.ended = RunState.CANCELLED, event.time

    def _apply_child(self, event: Event) -> None:
        process = self._process(event.node)
        node = self._node(firing(event.node))
        if event.type == EventType.CHILD_STARTED:
            process.flow = event.data.get("flow") or ""
            process.started = event.time
            process.state, process.ended = RunState.RUNNING, None
            if not node.attempts and not node.state.active:
                # Its own start was not recorded, or it is nothing but this call of a flow.
                node.kind = node.kind or ("flow" if process.flow else "")
                node.started = event.time
                _enter(node, NodeState.RUNNING, event)
            return
        process.state = RunState.FAILED if event.data.get("error") else RunState.COMPLETED
        process.ended = event.time
        if node.path == process.path:
            node.error = event.data.get("error")
            _settle(node, NodeState.FAILED if node.error else NodeState.COMPLETED, event)

    def _node(self, path: str) -> NodeRecord:
        node = self.nodes.get(path)
        if node is None:
            node = self.nodes[path] = NodeRecord(path)
            self._process(path.rpartition("/")[0]).nodes.append(path)
        return node

    def _process(self, path: str) -> ProcessRecord:
        process = self.processes.get(path)
        if process is None:
            process = self.processes[path] = ProcessRecord(path, started=self.started)
            if path:
                self._node(firing(path)).processes.append(path)
        return process


def firing(process: str) -> str:
    """The path of the firing that started a child process: `each` for `each[3]`."""
    found = _CALL.fullmatch(process)
    return found["firing"] if found else process


def ancestors(path: str) -> Iterator[str]:
    """The firings that a firing is inside of, nearest first."""
    while "/" in path:
        path = firing(path.rpartition("/")[0])
        yield path


def _by_seq(note: Note) -> int:
    return note.seq


def _apply_lock(node: NodeRecord, event: Event) -> None:
    """What a lock does to the firing that opened it: it waits, and looks at candidates."""
    data = event.data
    match event.type:
        case EventType.LOCK_OPENED:
            node.wake_at = data.get("expires")
            node.asks = data.get("title") or data.get("name", "")
            _enter(node, NodeState.WAITING, event)
        case EventType.LOCK_DENIED:
            _enter(node, NodeState.WAITING, event)
        case EventType.LOCK_CANDIDATE if node.state is NodeState.WAITING:
            _enter(node, NodeState.RUNNING, event)
        case _:
            pass  # what the firing makes of the answer is told by events of its own


def _apply_node(node: NodeRecord, event: Event) -> None:
    data = event.data
    match event.type:
        case EventType.NODE_STARTED:
            node.kind = data.get("kind", node.kind)
            node.attempts = data.get("attempt", node.attempts + 1)
            node.started = event.time if node.started is None else node.started
            _enter(node, NodeState.RUNNING, event)
        case EventType.NODE_WAITING:
            node.started = event.time if node.started is None else node.started
            node.wake_at = data.get("until")
            _enter(node, NodeState.WAITING, event)
        case EventType.NODE_RETRYING:
            node.attempts = data.get("attempt", node.attempts)
            if node.spans and node.spans[-1].end is None:
                node.spans[-1].state = NodeState.FAILED
            node.error = data.get("error")
            node.wake_at = data.get("until")
            _enter(node, NodeState.RETRYING, event)
        case EventType.NODE_COMPLETED:
            node.outputs, node.error = data.get("outputs"), None
            _settle(node, NodeState.COMPLETED, event)
        case EventType.NODE_FAILED:
            node.error = data.get("error")
            _settle(node, NodeState.FAILED, event)
        case EventType.NODE_SKIPPED:
            _settle(node, NodeState.SKIPPED, event)
        case EventType.NODE_PROGRESS:
            node.progress, node.status = data.get("fraction"), data.get("message") or ""
        case _:
            note = _note(event)
            if note is not None:
                node.notes.append(note)


def _note(event: Event) -> Note | None:
    data, source = event.data, event.type.partition(".")[2]
    if event.type == EventType.NODE_MESSAGE:
        level, text = data.get("level", "info"), data.get("message", "")
    elif event.type in (EventType.NODE_STDOUT, EventType.NODE_STDERR):
        level, text = "info", data.get("line", "")
    elif event.type == EventType.NODE_DATA:
        level, text = "debug", _as_text(data.get("value"))
    else:
        return None
    return Note(event.seq, event.time, event.node, source, level, str(text))


def _as_text(value: Payload) -> str:
    return value if isinstance(value, str) else to_json(value).decode()


def _enter(node: NodeRecord, state: NodeState, event: Event) -> None:
    """Begin another span; a node that was cut off and starts again is open once more."""
    _close(node, event.time)
    if state is NodeState.RUNNING:
        node.wake_at = None
    node.state, node.ended, node.duration_ms = state, None, None
    node.spans.append(Span(state, event.time))


def _close(node: NodeRecord, time: float) -> None:
    if node.spans and node.spans[-1].end is None:
        node.spans[-1].end = max(time, node.spans[-1].start)


def _settle(node: NodeRecord, state: NodeState, event: Event) -> None:
    _close(node, event.time)
    node.state, node.ended, node.wake_at = state, event.time, None
    duration_ms = event.data.get("duration_ms") if event.node else None
    if node.started is None:
        # Its start was not recorded (`record: effects`), but how long it took was.
        node.started = event.time - (duration_ms or 0) / 1000
        if duration_ms is not None:
            node.spans.append(Span(state, node.started, event.time))
    elif node.spans and node.spans[-1].state is NodeState.RUNNING:
        node.spans[-1].state = state
    if state is not NodeState.SKIPPED:
        node.duration_ms = duration_ms if duration_ms is not None else (node.ended - node.started) * 1000
