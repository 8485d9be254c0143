"""States of a run, and the one table of legal transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from penstock.core.events import EventType


class RunState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in _ENDS


_ENDS: Final = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED})
_LIVE: Final = frozenset({RunState.RUNNING, RunState.WAITING})

_TABLE: Final[dict[str, tuple[frozenset[RunState], RunState]]] = {
    EventType.RUN_STARTED: (frozenset({RunState.PENDING}), RunState.RUNNING),
    EventType.RUN_WAITING: (frozenset({RunState.RUNNING}), RunState.WAITING),
    EventType.RUN_RESUMED: (_LIVE, RunState.RUNNING),
    EventType.RUN_COMPLETED: (_LIVE, RunState.COMPLETED),
    EventType.RUN_FAILED: (_LIVE, RunState.FAILED),
    EventType.RUN_CANCELLED: (_LIVE | {RunState.PENDING}, RunState.CANCELLED),
}


class IllegalTransition(ValueError):
    """An event that the state of its run does not allow: a defect of the engine."""


def transition(state: RunState, event: str) -> RunState:
    """The state after an event of this type. Raises IllegalTransition."""
    if event not in _TABLE:
        if state in _ENDS:
            raise IllegalTransition(f"`{event}` after the run is {state}")
        return state
    sources, target = _TABLE[event]
    if state not in sources:
        raise IllegalTransition(f"`{event}` while the run is {state}")
    return target
