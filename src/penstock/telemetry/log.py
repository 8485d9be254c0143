"""The log: an observer that tells of what happens, to people and to those who collect logs.

Nothing is put together for a level that is off. Fields have one name everywhere: `namespace`,
`flow` or `trigger`, `node`, `kind`, `process` (the id of a root process; of a run it is its
`fid`), `code` (of an error).
"""

# ruff: noqa: ARG002 - an observer is told more than it writes

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.core.events import EventType
from penstock.core.locks import LockState
from penstock.core.states import RunState
from penstock.engine.observer import Observer, Outcome, Subject
from penstock.telemetry.log_output import FIELDS

if TYPE_CHECKING:
    from penstock.core.payload import Error, Payload
    from penstock.engine.redaction import Redactor

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_QUIET: Final = frozenset({EventType.NODE_DATA, EventType.NODE_PROGRESS})
"""What nodes say that is for those who look closely."""


class Log(Observer):
    """Tells from level `info` on; see `DetailedLog` for what is below.

    Its loggers are `penstock.run`, `.process`, `.node`, `.trigger`, `.loader` and `.store`.
    """

    def __init__(self) -> None:
        self._run = logging.getLogger("penstock.run")
        self._process = logging.getLogger("penstock.process")
        self._node = logging.getLogger("penstock.node")
        self._trigger = logging.getLogger("penstock.trigger")
        self._loader = logging.getLogger("penstock.loader")
        self._store = logging.getLogger("penstock.store")

    # --- runs ---------------------------------------------------------------------

    def run_started(self, run: Subject) -> None:
        if self._run.isEnabledFor(logging.INFO):
            _tell(self._run, logging.INFO, "run started", _of_run(run))

    def run_ended(self, run: Subject, outcome: Outcome, seconds: float, error: Error | None) -> None:
        level = _level(outcome)
        if self._run.isEnabledFor(level):
            facts = _of_run(run) | _took(seconds) | _why(error)
            _tell(self._run, level, f"run {outcome}", facts)

    # --- locks --------------------------------------------------------------------

    def lock_opened(self, run: Subject, name: str, node: str) -> None:
        if self._run.isEnabledFor(logging.INFO):
            _tell(self._run, logging.INFO, "lock opened", _of_lock(run, name, node))

    def lock_settled(self, run: Subject, name: str, node: str, state: LockState, seconds: float) -> None:
        level = logging.WARNING if state is LockState.EXPIRED else logging.INFO
        if self._run.isEnabledFor(level):
            _tell(self._run, level, f"lock {state}", _of_lock(run, name, node) | _took(seconds))

    # --- processes and what fires in them -------------------------------------------

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        if outcome is Outcome.FAILED and self._process.isEnabledFor(logging.ERROR):
            facts = _of_process(process) | _took(seconds) | _why(error)
            _tell(self._process, logging.ERROR, "process failed", facts)

    def process_failed(self, trigger: Subject, seconds: float, error: Error, trace: str) -> None:
        self.process_ended(trigger, Outcome.FAILED, seconds, error)

    def attempt_ended(
        self,
        subject: Subject,
        node: str,
        kind: str,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        if outcome is Outcome.FAILED and self._node.isEnabledFor(logging.INFO):
            facts = _of_node(subject, node) | {"kind": kind} | _took(seconds) | _why(error)
            _tell(self._node, logging.INFO, "node failed", facts)

    def retried(
        self, subject: Subject, node: str, kind: str, attempt: int, delay: float, error: Error
    ) -> None:
        if self._node.isEnabledFor(logging.INFO):
            facts = {"kind": kind, "attempt": attempt, "delay_seconds": round(delay, 3)}
            _tell(self._node, logging.INFO, "node is tried again", _of_node(subject, node) | facts)

    def said(
        self,
        subject: Subject,
        node: str,
        type: str,  # noqa: A002 - the field's word
        data: Mapping[str, Payload],
        redactor: Redactor | None,
    ) -> None:
        level = _LEVELS.get(str(data.get("level", "")), logging.INFO)
        if type in _QUIET:
            level = logging.DEBUG
        if not self._node.isEnabledFor(level):
            return
        facts = dict(data) if redactor is None else redactor.event(dict(data))
        facts.pop("level", None)
        text = str(facts.pop("message", "") or facts.pop("line", "") or type)
        _tell(self._node, level, text, facts | _of_node(subject, node))

    # --- triggers -------------------------------------------------------------------

    def warned(self, trigger: Subject, message: str, fields: Mapping[str, Any]) -> None:
        if self._trigger.isEnabledFor(logging.WARNING):
            _tell(self._trigger, logging.WARNING, message, {**fields, **_of_trigger(trigger)})

    def trigger_failed(self, trigger: Subject, error: Error) -> None:
        if self._trigger.isEnabledFor(logging.ERROR):
            _tell(self._trigger, logging.ERROR, "trigger failed", _of_trigger(trigger) | _why(error))

    # --- loader and store -----------------------------------------------------------

    def reloaded(self, namespace: str, changes: int, seconds: float, error: Error | None) -> None:
        level = logging.INFO if error is None else logging.ERROR
        if self._loader.isEnabledFor(level):
            facts = {"namespace": namespace, "changes": changes} | _took(seconds) | _why(error)
            _tell(self._loader, level, "reloaded" if error is None else "reload failed", facts)

    def symbol_changed(self, symbol: Subject, kind: str, status: str, reason: str) -> None:
        level = logging.WARNING if reason else logging.DEBUG
        if self._loader.isEnabledFor(level):
            facts = {"namespace": symbol.namespace, "node": symbol.name, "kind": kind}
            facts |= {"status": status or "gone"} | ({"reason": reason} if reason else {})
            _tell(self._loader, level, f"node is {status or 'gone'}", facts)

    def committed(self, events: int, seconds: float, error: Error | None) -> None:
        if error is not None and self._store.isEnabledFor(logging.ERROR):
            _tell(self._store, logging.ERROR, "commit refused", {"events": events} | _why(error))


class DetailedLog(Log):
    """Tells of everything, each request included. It costs several µs for each."""

    def run_entered(self, run: Subject, trace: str) -> None:
        _tell(self._run, logging.DEBUG, "run is executed here", _of_run(run))

    def run_left(self, run: Subject) -> None:
        _tell(self._run, logging.DEBUG, "run left memory", _of_run(run))

    def run_changed(self, run: Subject, state: RunState) -> None:
        _tell(self._run, logging.DEBUG, f"run is {state}", _of_run(run))

    def process_began(self, process: Subject, trace: str) -> None:
        _tell(self._process, logging.DEBUG, "process began", _of_process(process))

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        super().process_ended(process, outcome, seconds, error)
        if outcome is not Outcome.FAILED:
            facts = _of_process(process) | _took(seconds)
            _tell(self._process, logging.DEBUG, f"process {outcome}", facts)

    def process_answered(self, trigger: Subject, seconds: float, trace: str) -> None:
        self.process_ended(trigger, Outcome.COMPLETED, seconds, None)

    def attempt_began(self, subject: Subject, node: str, kind: str, attempt: int) -> None:
        facts = {"kind": kind, "attempt": attempt}
        _tell(self._node, logging.DEBUG, "node began", _of_node(subject, node) | facts)

    def attempt_ended(
        self,
        subject: Subject,
        node: str,
        kind: str,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        super().attempt_ended(subject, node, kind, outcome, seconds, error)
        if outcome is not Outcome.FAILED:
            facts = _of_node(subject, node) | {"kind": kind} | _took(seconds)
            _tell(self._node, logging.DEBUG, f"node {outcome}", facts)

    def request_done(
        self,
        listener: Subject,
        method: str,
        status: int,
        seconds: float,
        received_bytes: int,
        sent_bytes: int,
    ) -> None:
        facts = {"method": method, "status": status, "received": received_bytes, "sent": sent_bytes}
        told = _of_trigger(listener) | facts | _took(seconds)
        _tell(self._trigger, logging.DEBUG, "request answered", told)


def _tell(logger: logging.Logger, level: int, text: str, facts: Mapping[str, Any]) -> None:
    logger.log(level, text, extra={FIELDS: facts})


def _level(outcome: Outcome) -> int:
    return logging.ERROR if outcome is Outcome.FAILED else logging.INFO


def _of_run(run: Subject) -> dict[str, Any]:
    return {"namespace": run.namespace, "flow": run.name, "process": run.fid, "fid": run.fid}


def _of_lock(run: Subject, name: str, node: str) -> dict[str, Any]:
    return _of_run(run) | {"lock": name} | ({"node": node} if node else {})


def _of_process(process: Subject) -> dict[str, Any]:
    facts = {"namespace": process.namespace, "trigger": process.name}
    return facts | {"process": process.fid} if process.fid else facts


def _of_trigger(trigger: Subject) -> dict[str, Any]:
    return {"namespace": trigger.namespace, "node": trigger.name}


def _of_node(subject: Subject, node: str) -> dict[str, Any]:
    return {"namespace": subject.namespace, "node": node, "of": subject.name, "process": subject.fid}


def _took(seconds: float) -> dict[str, Any]:
    return {"seconds": round(seconds, 6)}


def _why(error: Error | None) -> dict[str, Any]:
    """What an error says; its details are payloads, which do not belong in a log."""
    if error is None:
        return {}
    facts = {"code": error.code, "error": error.message, "at": error.node, "remedy": error.remedy}
    return {name: value for name, value in facts.items() if value}
