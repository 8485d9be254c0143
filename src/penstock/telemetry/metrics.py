"""Metrics: an observer that counts.

Labels are names from documents and words of Penstock, never the id of a run or process, and
never what a client chose.
"""

# ruff: noqa: ARG002 - an observer is told more than it counts

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.engine.observer import Observer, Outcome, Subject
from penstock.telemetry.instruments import (
    LONG,
    OTHER,
    QUICK,
    Counts,
    Durations,
    Histogram,
    Labels,
    bounded,
)

if TYPE_CHECKING:
    from penstock.core.locks import LockState
    from penstock.core.payload import Error

_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
"""Methods that are counted by name: others are the client's choice."""

_INSTANT: Final = QUICK[0]


class Processes:
    """The root processes of one trigger. open: those under way.

    instant, instant_seconds: those that completed at once, which are not in the others. It is
    one addition for what nearly every request does.
    """

    __slots__ = ("instant", "instant_seconds", "open", "others", "outcomes")

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.others = Histogram(QUICK)
        self.open = 0
        self.instant = 0
        self.instant_seconds = 0.0

    @property
    def started(self) -> int:
        return self.instant + sum(self.outcomes.values()) + self.open

    @property
    def ended(self) -> dict[Outcome, int]:
        return self.outcomes | {Outcome.COMPLETED: self.outcomes[Outcome.COMPLETED] + self.instant}

    @property
    def durations(self) -> Histogram:
        return self.others.joined(self.instant, self.instant_seconds)


class Requests:
    """The requests of one listener. answered: by method and status.

    others: those that took longer than the lowest bound; what is missing there was below it.
    """

    __slots__ = ("answered", "open", "others", "received", "seconds", "sent", "websockets")

    def __init__(self) -> None:
        self.answered: dict[tuple[str, int], int] = {}
        self.open = 0
        self.websockets = 0
        self.received = 0
        self.sent = 0
        self.seconds = 0.0
        self.others = Histogram(QUICK)

    @property
    def durations(self) -> Histogram:
        instant = sum(self.answered.values()) - self.others.count
        return self.others.joined(instant, self.seconds - self.others.seconds)


class Metrics(Observer):
    """Counts what the engine tells; `families` says what there is to read.

    requests, processes: by the subject of their listener or trigger. symbols: namespace and
    name → status.
    """

    def __init__(self) -> None:
        self.runs_started = Counts()
        self.runs_ended = Counts()
        self.runs_resident = Counts()
        self.run_durations = Durations(LONG)
        self.locks_opened = Counts()
        self.locks_settled = Counts()
        self.lock_durations = Durations(LONG)
        self.candidates = Counts()
        self.processes: dict[Labels, Processes] = {}
        self.attempts = Counts()
        self.attempt_durations = Durations(QUICK)
        self.retries = Counts()
        self.warnings = Counts()
        self.trigger_failures = Counts()
        self.requests: dict[Labels, Requests] = {}
        self.reloads = Counts()
        self.changes = Counts()
        self.reload_durations = Durations(QUICK)
        self.symbols: dict[tuple[str, str], str] = {}
        self.commits = Counts()
        self.events = Counts()
        self.commit_durations = Durations(QUICK)

    # --- runs ---------------------------------------------------------------------

    def run_started(self, run: Subject) -> None:
        self.runs_started.add(run.name)

    def run_entered(self, run: Subject, trace: str) -> None:
        self.runs_resident.add(run.name)

    def run_left(self, run: Subject) -> None:
        self.runs_resident.add(run.name, amount=-1)

    def run_ended(self, run: Subject, outcome: Outcome, seconds: float, error: Error | None) -> None:
        self.runs_ended.add(run.name, outcome)
        self.run_durations.add(seconds, run.name)

    # --- locks --------------------------------------------------------------------

    def lock_opened(self, run: Subject, name: str, node: str) -> None:
        self.locks_opened.add(run.name)

    def candidate_decided(self, run: Subject, name: str, outcome: str) -> None:
        self.candidates.add(run.name, outcome)

    def lock_settled(self, run: Subject, name: str, node: str, state: LockState, seconds: float) -> None:
        self.locks_settled.add(run.name, state)
        self.lock_durations.add(seconds, run.name)

    # --- processes and what fires in them -------------------------------------------

    def process_began(self, process: Subject, trace: str) -> None:
        self._of_trigger(process).open += 1

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        found = self._of_trigger(process)
        found.open -= 1
        found.outcomes[outcome] += 1
        found.others.add(seconds)

    def process_answered(self, trigger: Subject, seconds: float, trace: str) -> None:
        # Each request comes by here: the trigger's own subject is the key, as it is.
        found = self.processes.get(trigger)
        if found is None:
            found = self._of_trigger(trigger)
        if seconds <= _INSTANT:
            found.instant += 1
            found.instant_seconds += seconds
        else:
            found.outcomes[Outcome.COMPLETED] += 1
            found.others.add(seconds)

    def process_failed(self, trigger: Subject, seconds: float, error: Error, trace: str) -> None:
        found = self._of_trigger(trigger)
        found.outcomes[Outcome.FAILED] += 1
        found.others.add(seconds)

    def _of_trigger(self, subject: Subject) -> Processes:
        key = bounded(self.processes, (subject.namespace, subject.name, ""))
        found = self.processes.get(key)
        if found is None:
            found = self.processes[key] = Processes()
        return found

    def attempt_ended(
        self,
        subject: Subject,
        node: str,
        kind: str,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        self.attempts.add(kind, outcome)
        self.attempt_durations.add(seconds, kind)

    def retried(
        self, subject: Subject, node: str, kind: str, attempt: int, delay: float, error: Error
    ) -> None:
        self.retries.add(kind)

    # --- triggers -------------------------------------------------------------------

    def warned(self, trigger: Subject, message: str, fields: Mapping[str, Any]) -> None:
        self.warnings.add(trigger.namespace, trigger.name)

    def trigger_failed(self, trigger: Subject, error: Error) -> None:
        self.trigger_failures.add(trigger.namespace, trigger.name)

    def requests_open(self, listener: Subject, change: int) -> None:
        self._of_listener(listener).open += change

    def websockets_open(self, listener: Subject, change: int) -> None:
        self._of_listener(listener).websockets += change

    def request_done(
        self,
        listener: Subject,
        method: str,
        status: int,
        seconds: float,
        received_bytes: int,
        sent_bytes: int,
    ) -> None:
        found = self.requests.get(listener)
        if found is None:
            found = self._of_listener(listener)
        answered = found.answered
        key = (method, status)
        if key in answered:
            answered[key] += 1
        else:
            key = (method if method in _METHODS else OTHER, status)
            answered[key] = answered.get(key, 0) + 1
        found.seconds += seconds
        found.sent += sent_bytes
        if received_bytes:
            found.received += received_bytes
        if seconds > _INSTANT:
            found.others.add(seconds)

    def _of_listener(self, subject: Subject) -> Requests:
        key = bounded(self.requests, (subject.namespace, subject.name, ""))
        found = self.requests.get(key)
        if found is None:
            found = self.requests[key] = Requests()
        return found

    # --- loader and store -----------------------------------------------------------

    def reloaded(self, namespace: str, changes: int, seconds: float, error: Error | None) -> None:
        self.reloads.add(namespace, Outcome.COMPLETED if error is None else Outcome.FAILED)
        self.changes.add(namespace, amount=changes)
        self.reload_durations.add(seconds, namespace)

    def symbol_changed(self, symbol: Subject, kind: str, status: str, reason: str) -> None:
        key = (symbol.namespace, symbol.name)
        if status:
            self.symbols[key] = status
        else:
            self.symbols.pop(key, None)

    def committed(self, events: int, seconds: float, error: Error | None) -> None:
        self.commits.add(Outcome.COMPLETED if error is None else Outcome.FAILED)
        self.commit_durations.add(seconds)
        if error is None:
            self.events.add(amount=events)
