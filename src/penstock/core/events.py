"""Events: the entries of a run's stream, which is its journal."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec


class EventType(StrEnum):
    """Every type of event, and the fields of its own in `data`."""

    RUN_STARTED = "run.started"
    """flow, revision, inputs; missing: the names of those that it asks for first; attached: where the
    files among them came from; launcher: who began it; executor, unless it is inline; trace: its
    `traceparent`; retry_of when it repeats another run, retry_from: the node from which on, and
    edited: what in-ports of its firings get this time."""
    RUN_WAITING = "run.waiting"
    """until: epoch seconds, or None when it waits for people alone; for: `worker` when all are busy."""
    RUN_RESUMED = "run.resumed"
    """reason: `timer`, `candidate`, `activity`, `recovery`, `restart` (then `restart`: its number), or
    `worker`: it has got one (then, in the place of one that it lost, `lost`: how many so far, and
    `error`)."""
    RUN_COMPLETED = "run.completed"
    """result, duration_ms; failures: the nodes that failed under `continue`."""
    RUN_FAILED = "run.failed"
    """error, duration_ms."""
    RUN_CANCELLED = "run.cancelled"
    """reason, duration_ms."""

    NODE_STARTED = "node.started"
    """kind, attempt."""
    NODE_WAITING = "node.waiting"
    """until: epoch seconds; timer: which of the firing's timers it is, from 0."""
    NODE_COMPLETED = "node.completed"
    """outputs, duration_ms; state when `ctx.state` is in use."""
    NODE_FAILED = "node.failed"
    """error, duration_ms."""
    NODE_RETRYING = "node.retrying"
    """attempt (the one that failed), error, delay_ms, until."""
    NODE_SKIPPED = "node.skipped"
    NODE_MESSAGE = "node.message"
    """level, message, and what the node added."""
    NODE_PROGRESS = "node.progress"
    """fraction: 0 to 1, or None; message."""
    NODE_DATA = "node.data"
    """value."""
    NODE_STDOUT = "node.stdout"
    """line."""
    NODE_STDERR = "node.stderr"
    """line."""

    CHILD_STARTED = "child.started"
    """port or flow."""
    CHILD_COMPLETED = "child.completed"
    """result, or error; duration_ms."""

    LOCK_OPENED = "lock.opened"
    """lock: its id; name, title, description; schema: the JSON Schema of a candidate, or None;
    data: what a person needs to see; expires: epoch seconds, or None; release_timeout: seconds
    that the flow may take to decide, or None."""
    LOCK_CANDIDATE = "lock.candidate"
    """lock; id: the candidate's; value; by: who submitted it, or empty."""
    LOCK_DENIED = "lock.denied"
    """lock; id: the candidate's; reasons: a list of `detail` and `pointer`."""
    LOCK_RELEASED = "lock.released"
    """lock; id: the candidate's; value: what the flow gets; by."""
    LOCK_EXPIRED = "lock.expired"
    """lock; reason: `timeout`, or `closed` when the flow went on without it."""

    AGENT_ACTION = "agent.action"
    """of: what sets out to do something (`crew`, `task`, `agent`, `llm`, `tool`, `flow`, `method`, …),
    and its name under that word; agent; task; arguments of a tool; model."""
    AGENT_RESULT = "agent.result"
    """The same, and output or error; tokens: prompt, completion and total."""
    AGENT_FINAL = "agent.final"
    """of: `crew` or `flow`, and its name; output; tokens."""


TERMINAL: Final = frozenset({EventType.RUN_COMPLETED, EventType.RUN_FAILED, EventType.RUN_CANCELLED})
"""The types that end a stream; a run has exactly one of them."""

NOTES: Final = frozenset(
    {
        EventType.NODE_MESSAGE,
        EventType.NODE_PROGRESS,
        EventType.NODE_DATA,
        EventType.NODE_STDOUT,
        EventType.NODE_STDERR,
        EventType.AGENT_ACTION,
        EventType.AGENT_RESULT,
        EventType.AGENT_FINAL,
    }
)
"""What a node itself may add to the stream; the other types are the engine's to write."""

EFFECTS: Final = frozenset(EventType) - {
    EventType.NODE_STARTED,
    EventType.NODE_SKIPPED,
    EventType.NODE_MESSAGE,
    EventType.NODE_PROGRESS,
    EventType.NODE_DATA,
    EventType.NODE_STDOUT,
    EventType.NODE_STDERR,
}
"""The types that `record: effects` keeps: what a replay cannot do without."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One entry of a stream.

    seq: dense within the run, from 1. time: epoch seconds. node: the firing it speaks of,
    as a path (`fetch`, `each[3]/parse`), or empty for the run itself.
    """

    seq: int
    time: float
    type: str
    node: str = ""
    data: dict[str, Any] = {}

    @property
    def at(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def terminal(self) -> bool:
        return self.type in TERMINAL

    def to_mapping(self) -> dict[str, Any]:
        """The event as one flat mapping, for JSON."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head: dict[str, Any] = {"seq": self.seq, "at": at, "type": self.type}
        if self.node:
            head["node"] = self.node
        return head | self.data
