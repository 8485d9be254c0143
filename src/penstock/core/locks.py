"""Locks as a run's stream tells of them: who is asked for what, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from penstock.core.events import Event, EventType
from penstock.core.reason import Reason

RELEASED = "released"
DENIED = "denied"
"""What a flow decides about a candidate."""

INPUTS = "inputs"
"""The name of the lock that asks for what a run still needs before its flow can begin."""


class LockState(StrEnum):
    """Where a lock stands. `closed`: the flow went another way, or its run has ended."""

    OPEN = "open"
    RELEASED = "released"
    EXPIRED = "expired"
    CLOSED = "closed"


class Decision(msgspec.Struct, frozen=True):
    """What a flow decided about a candidate.

    outcome: `released` or `denied`. reasons: why it was denied. value: what the lock was
    released with.
    """

    outcome: str
    reasons: tuple[Reason, ...] = ()
    value: Any = None

    @property
    def released(self) -> bool:
        return self.outcome == RELEASED


class CandidateRecord(msgspec.Struct):
    """One candidate. at: epoch seconds. by: who submitted it, or nobody that is known.

    outcome: `released`, `denied`, or empty while the flow has not decided. masked: its value
    held a secret, and is not what the flow saw.
    """

    id: str
    value: Any = None
    by: str = ""
    at: float = 0.0
    outcome: str = ""
    reasons: tuple[Reason, ...] = ()
    masked: bool = False


class LockRecord(msgspec.Struct):
    """One lock. node: the firing that opened it, as a path; empty for the run itself.

    schema: the JSON Schema of a candidate, or None when anything will do. data: what a person
    needs to see. opened, expires, settled: epoch seconds. release_timeout: seconds that
    the flow may take to decide. answer: what it was released with.
    """

    lid: str
    name: str = ""
    node: str = ""
    title: str = ""
    description: str = ""
    schema: dict[str, Any] | None = None
    data: Any = None
    opened: float = 0.0
    expires: float | None = None
    release_timeout: float | None = None
    state: LockState = LockState.OPEN
    settled: float | None = None
    answer: Any = None
    candidates: list[CandidateRecord] = []

    @property
    def open(self) -> bool:
        """Whether it takes candidates."""
        return self.state is LockState.OPEN

    def candidate(self, id: str) -> CandidateRecord | None:  # noqa: A002 - the field's word
        """The candidate of this id."""
        return next((each for each in self.candidates if each.id == id), None)

    def undecided(self) -> list[CandidateRecord]:
        """Candidates that the flow has not decided about, in the order they came."""
        return [each for each in self.candidates if not each.outcome] if self.open else []

    def decision(self, candidate: CandidateRecord) -> Decision | None:
        """What was decided about a candidate, or None while nothing was."""
        if not candidate.outcome:
            return None
        value = self.answer if candidate.outcome == RELEASED else None
        return Decision(candidate.outcome, candidate.reasons, value)

    def settle(self, state: LockState, at: float) -> None:
        """It takes no candidates any more."""
        self.state, self.settled = state, at


def record_lock(locks: dict[str, LockRecord], event: Event) -> None:
    """Take the next event of a run's stream, of whatever type, into the record of its locks."""
    if event.type == EventType.LOCK_OPENED:
        _open(locks, event)
    elif event.type.startswith("lock."):
        lock = locks.get(event.data["lock"])
        if lock is not None:
            _apply(lock, event)
    elif event.terminal or (event.type == EventType.RUN_RESUMED and "restart" in event.data):
        for lock in locks.values():
            if lock.open:
                lock.settle(LockState.CLOSED, event.time)


def fold_locks(events: Iterable[Event]) -> dict[str, LockRecord]:
    """The locks that a stream tells of, by their ids, in the order they were opened."""
    locks: dict[str, LockRecord] = {}
    for event in events:
        record_lock(locks, event)
    return locks


def _open(locks: dict[str, LockRecord], event: Event) -> None:
    data = event.data
    lid = data["lock"]
    locks[lid] = LockRecord(
        lid,
        name=data.get("name", ""),
        node=event.node,
        title=data.get("title", ""),
        description=data.get("description", ""),
        schema=data.get("schema"),
        data=data.get("data"),
        opened=event.time,
        expires=data.get("expires"),
        release_timeout=data.get("release_timeout"),
    )


def _apply(lock: LockRecord, event: Event) -> None:
    data = event.data
    if event.type == EventType.LOCK_EXPIRED:
        closed = data.get("reason") == LockState.CLOSED
        lock.settle(LockState.CLOSED if closed else LockState.EXPIRED, event.time)
        return
    id = data["id"]  # noqa: A001 - the field's word
    if event.type == EventType.LOCK_CANDIDATE:
        masked = "masked" in data
        found = CandidateRecord(id, data.get("value"), data.get("by", ""), event.time, masked=masked)
        lock.candidates.append(found)
        return
    candidate = lock.candidate(id)
    outcome = DENIED if event.type == EventType.LOCK_DENIED else RELEASED
    if candidate is not None:
        candidate.outcome = outcome
        candidate.reasons = tuple(msgspec.convert(data.get("reasons", ()), tuple[Reason, ...]))
    if outcome == RELEASED:
        lock.answer = data.get("value")
        lock.settle(LockState.RELEASED, event.time)
