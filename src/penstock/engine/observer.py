"""Observers: what the engine tells those who watch it, for logs, metrics and traces.

The engine holds one observer or None, and asks no more than that before it does anything for
it. Plain pure nodes are not observed at all: what they do is part of the process around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from penstock.core.locks import LockState
    from penstock.core.payload import Error, Payload
    from penstock.core.states import RunState
    from penstock.engine.redaction import Redactor


class Outcome(StrEnum):
    """How something ended that the engine did."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Subject(NamedTuple):
    """Whom something happened to: a run, or the root processes of a trigger.

    name: the flow, or the trigger. fid: which run or process; empty where all of them are
    meant. A trigger that is told of often makes its subject once.
    """

    namespace: str
    name: str
    fid: str = ""


class Observer:
    """Someone who watches the engine. Nothing is done here: override what is of interest.

    Everything is told on the event loop's thread, `said` alone from any; nothing may wait.
    Durations are in seconds. Errors hold no secret any more. What began also ends, in the
    same task; `trace` is the W3C `traceparent` that something belongs to, or empty.
    """

    def hears(self, *names: str) -> bool:
        """Whether any of these methods does something: else one may save the work for it."""
        return any(
            getattr(getattr(self, name), "__func__", None) is not getattr(Observer, name)
            for name in names
        )

    # --- runs ---------------------------------------------------------------------

    def run_started(self, run: Subject) -> None:
        """A run begins: told once in its life."""

    def run_entered(self, run: Subject, trace: str) -> None:
        """This process begins to execute a run, or goes on with it. Told within its task."""

    def run_left(self, run: Subject) -> None:
        """It is no longer executed here: it has ended, or was put aside."""

    def run_changed(self, run: Subject, state: RunState) -> None:
        """A run waits, or goes on."""

    def run_ended(self, run: Subject, outcome: Outcome, seconds: float, error: Error | None) -> None:
        """A run has its end, on disk: told once in its life. seconds: since it started."""

    # --- locks --------------------------------------------------------------------

    def lock_opened(self, run: Subject, name: str, node: str) -> None:
        """A run waits for somebody: told once in a lock's life."""

    def candidate_decided(self, run: Subject, name: str, outcome: str) -> None:
        """The flow has released a lock of this name, or denied a candidate for it."""

    def lock_settled(self, run: Subject, name: str, node: str, state: LockState, seconds: float) -> None:
        """A lock takes no candidates any more. seconds: since it was opened."""

    # --- processes and what fires in them -------------------------------------------

    def process_began(self, process: Subject, trace: str) -> None:
        """A trigger starts a root process that is not recorded. Told within its task."""

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        """It is over, and what it held is released."""

    def process_answered(self, trigger: Subject, seconds: float, trace: str) -> None:
        """A root process of nothing but plain pure nodes completed, which is all one hears of it.

        There may be very many of them: where nobody hears of this, they do without a clock.
        """

    def process_failed(self, trigger: Subject, seconds: float, error: Error, trace: str) -> None:
        """Such a process failed."""

    def child_began(self, subject: Subject, path: str, flow: str) -> None:
        """A control node calls: a child process begins. flow: the one it calls, or empty."""

    def child_ended(
        self, subject: Subject, path: str, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        """The child process is over."""

    def attempt_began(self, subject: Subject, node: str, kind: str, attempt: int) -> None:
        """An effectful node, or a step, is executed."""

    def attempt_ended(
        self,
        subject: Subject,
        node: str,
        kind: str,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        """This attempt of it is over."""

    def retried(
        self, subject: Subject, node: str, kind: str, attempt: int, delay: float, error: Error
    ) -> None:
        """The attempt of this number failed, and there will be another in `delay` seconds."""

    def said(
        self,
        subject: Subject,
        node: str,
        type: str,  # noqa: A002 - the field's word
        data: Mapping[str, Payload],
        redactor: Redactor | None,
    ) -> None:
        """A node of a process that nobody records has something to say. Told from any thread.

        What it says is not masked yet, because most of it is never shown.
        """

    def traceparent(self) -> str:
        """The W3C `traceparent` of what the current task does, or nothing."""
        return ""

    # --- triggers -------------------------------------------------------------------

    def warned(self, trigger: Subject, message: str, fields: Mapping[str, Any]) -> None:
        """A trigger, or the runtime itself, has something to say that is not right."""

    def trigger_failed(self, trigger: Subject, error: Error) -> None:
        """What a trigger does beside its processes has failed: its socket, its watch, its clock."""

    def requests_open(self, listener: Subject, change: int) -> None:
        """An HTTP request that is not answered at once begins (1) or is over (-1)."""

    def request_done(
        self,
        listener: Subject,
        method: str,
        status: int,
        seconds: float,
        received_bytes: int,
        sent_bytes: int,
    ) -> None:
        """A listener has answered; sizes are those of the bodies."""

    def websockets_open(self, listener: Subject, change: int) -> None:
        """A websocket was opened (1) or closed (-1)."""

    # --- loader and store -----------------------------------------------------------

    def reloaded(self, namespace: str, changes: int, seconds: float, error: Error | None) -> None:
        """The loader has taken so many changed documents in, or could not."""

    def symbol_changed(self, symbol: Subject, kind: str, status: str, reason: str) -> None:
        """A node's symbol has another status now; an empty one when it is gone.

        reason: why it is not active, for people.
        """

    def committed(self, events: int, seconds: float, error: Error | None) -> None:
        """The store has written a batch, or refused it."""


def together(*observers: Observer) -> Observer | None:
    """All of these as one; None where there is none."""
    return observers[0] if len(observers) == 1 else _Several(observers) if observers else None


class _Several(Observer):
    """Tells each observer only what it hears: the others cost nothing.

    The first hears first of what begins, and last of what ends, as with contexts.
    """

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        for name in _TOLD:
            hearing = [getattr(observer, name) for observer in observers if observer.hears(name)]
            if name.endswith(("_ended", "_left")):
                hearing.reverse()
            if hearing:
                # Who is alone is called without anything in between.
                setattr(self, name, hearing[0] if len(hearing) == 1 else _each_of(hearing))


def _each_of(hearing: list[Callable[..., str | None]]) -> Callable[..., str | None]:
    def tell(*facts: Any) -> str | None:
        answers = [told(*facts) for told in hearing]
        return answers[0]

    return tell


_TOLD: Final = tuple(name for name in vars(Observer) if not name.startswith("_") and name != "hears")
