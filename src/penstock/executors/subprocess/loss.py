"""How a run loses its worker, and what that is called."""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from penstock.core.payload import Error
from penstock.core.size import format_size

if TYPE_CHECKING:
    from penstock.core.policies import WorkerLimits


class Cause(StrEnum):
    """Why a worker is gone; the code of the run's error."""

    KILLED = "worker.killed"
    MEMORY = "worker.memory"
    TIMEOUT = "worker.timeout"
    GARBLED = "worker.garbled"


_REMEDIES: Final = {
    Cause.KILLED: "see what it said on stderr; `retries` under the flow's `executor` goes on in "
    "another worker, `penstock runs retry` does so once",
    Cause.MEMORY: "raise `memory` under the flow's `executor`, or hold less at a time",
    Cause.TIMEOUT: "raise `timeout` under the flow's `executor`, or look why it takes so long",
    Cause.GARBLED: "the code of the flow must leave the worker's open files alone",
}


class WorkerLost(Exception):
    """The worker of a run is gone before the run was over.

    node: what it executed, where that was one thing alone. exit_code: negative for a signal.
    detail: what made no sense, or what it said last.
    """

    def __init__(
        self, cause: Cause, limits: WorkerLimits, *, node: str = "", exit_code: int = 0, detail: str = ""
    ) -> None:
        self.cause = cause
        self.error = Error(
            code=cause,
            message=_message(cause, limits, exit_code, detail),
            node=node,
            details={"exit_code": exit_code} if cause is Cause.KILLED else None,
            remedy=_REMEDIES[cause],
        )
        super().__init__(self.error.message)


def _message(cause: Cause, limits: WorkerLimits, exit_code: int, detail: str) -> str:
    if cause is Cause.MEMORY:
        return f"the run wanted more memory than the {format_size(limits.memory_bytes or 0)} it may have"
    if cause is Cause.TIMEOUT:
        return f"the run kept its worker for longer than {limits.timeout}"
    if cause is Cause.GARBLED:
        return f"the worker of the run said what makes no sense: {detail}"
    if exit_code < 0:
        return f"the worker of the run was killed by {_signal(-exit_code)}"
    said = f": {detail:.200}" if detail else ""
    return f"the worker of the run ended by itself, with exit code {exit_code}{said}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
