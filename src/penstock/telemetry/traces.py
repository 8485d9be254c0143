"""Traces: an observer that makes OpenTelemetry spans.

A span for each run while it is in memory, each root process, each child process, and each
attempt of an effectful node, nested as they are. What runs within is in the context of its
span, so libraries that are instrumented themselves find their place.
"""

# ruff: noqa: ARG002 - an observer is told more than a span holds

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from penstock.engine.observer import Observer, Outcome, Subject

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.trace import Span, Tracer

    from penstock.core.payload import Error
    from penstock.telemetry.trace_ids import TraceIds

Facts = dict[str, str | int | float]

_KINDS: Final = {"http.request": SpanKind.CLIENT, "sql": SpanKind.CLIENT}
"""Kinds of nodes that ask somebody else."""

_LONGEST: Final = 512
"""Characters of a `traceparent` that is looked at: clients send it."""


class Traces(Observer):
    """Spans of what the engine tells, made by a tracer whose provider has `ids`."""

    def __init__(self, tracer: Tracer, ids: TraceIds) -> None:
        self._tracer = tracer
        self._ids = ids
        self._propagator = TraceContextTextMapPropagator()
        self._open: dict[tuple[str, str], tuple[Span, Token[Context]]] = {}

    # --- runs ---------------------------------------------------------------------

    def run_entered(self, run: Subject, trace: str) -> None:
        self._enter((run.fid, "run"), f"run {run.name}", _of(run, "flow"), trace)

    def run_ended(self, run: Subject, outcome: Outcome, seconds: float, error: Error | None) -> None:
        found = self._open.get((run.fid, "run"))
        if found is not None:  # a run can be cancelled without being in memory
            _conclude(found[0], outcome, error)

    def run_left(self, run: Subject) -> None:
        self._leave((run.fid, "run"))

    # --- processes and what fires in them -------------------------------------------

    def process_began(self, process: Subject, trace: str) -> None:
        self._enter((process.fid, "process"), process.name, _of(process, "trigger"), trace)

    def process_ended(
        self, process: Subject, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        self._leave((process.fid, "process"), outcome, error)

    def process_answered(self, trigger: Subject, seconds: float, trace: str) -> None:
        self._tell_past(trigger, seconds, None, trace)

    def process_failed(self, trigger: Subject, seconds: float, error: Error, trace: str) -> None:
        self._tell_past(trigger, seconds, error, trace)

    def _tell_past(self, trigger: Subject, seconds: float, error: Error | None, trace: str) -> None:
        """A span of a process that is over. Nothing in it could have asked for its context."""
        now = time.time_ns()
        span = self._tracer.start_span(
            trigger.name,
            self._context(trace),
            kind=_root_kind(trace),
            attributes=_of(trigger, "trigger"),
            start_time=now - int(seconds * 1e9),
        )
        _conclude(span, Outcome.COMPLETED if error is None else Outcome.FAILED, error)
        span.end(now)

    def child_began(self, subject: Subject, path: str, flow: str) -> None:
        facts: Facts = {"penstock.fid": subject.fid, "penstock.node": path}
        if flow:
            facts["penstock.flow"] = flow
        self._begin((subject.fid, f"child {path}"), f"call {flow or _name(path)}", facts)

    def child_ended(
        self, subject: Subject, path: str, outcome: Outcome, seconds: float, error: Error | None
    ) -> None:
        self._leave((subject.fid, f"child {path}"), outcome, error)

    def attempt_began(self, subject: Subject, node: str, kind: str, attempt: int) -> None:
        facts: Facts = {
            "penstock.namespace": subject.namespace,
            "penstock.fid": subject.fid,
            "penstock.node": node,
            "penstock.kind": kind,
            "penstock.attempt": attempt,
        }
        key = (subject.fid, f"node {node}")
        self._begin(key, f"{kind} {_name(node)}", facts, _KINDS.get(kind, SpanKind.INTERNAL))

    def attempt_ended(
        self,
        subject: Subject,
        node: str,
        kind: str,
        outcome: Outcome,
        seconds: float,
        error: Error | None,
    ) -> None:
        self._leave((subject.fid, f"node {node}"), outcome, error)

    def retried(
        self, subject: Subject, node: str, kind: str, attempt: int, delay: float, error: Error
    ) -> None:
        facts: Facts = {"penstock.node": node, "penstock.attempt": attempt, "error.type": error.code}
        get_current_span().add_event("retry", facts | {"penstock.delay_seconds": delay})

    def traceparent(self) -> str:
        span = get_current_span().get_span_context()
        if not span.is_valid:
            return ""
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"

    def trace_id(self) -> str:
        """The id of the trace that the current task belongs to, or nothing."""
        span = get_current_span().get_span_context()
        return f"{span.trace_id:032x}" if span.is_valid else ""

    # --- spans ------------------------------------------------------------------------

    def _enter(self, key: tuple[str, str], name: str, facts: Facts, trace: str) -> None:
        """A span that has no other around it here; its trace is that of `trace`, or its own."""
        self._ids.next_of = key[0]
        self._begin(key, name, facts, _root_kind(trace), self._context(trace))
        self._ids.next_of = ""

    def _begin(
        self,
        key: tuple[str, str],
        name: str,
        facts: Facts,
        kind: SpanKind = SpanKind.INTERNAL,
        context: Context | None = None,
    ) -> None:
        span = self._tracer.start_span(name, context, kind=kind, attributes=facts)
        self._open[key] = span, attach(set_span_in_context(span))

    def _leave(
        self, key: tuple[str, str], outcome: Outcome | None = None, error: Error | None = None
    ) -> None:
        span, token = self._open.pop(key)
        if outcome is not None:
            _conclude(span, outcome, error)
        span.end()
        detach(token)

    def _context(self, trace: str) -> Context:
        """What a `traceparent` says; an empty context where it says nothing."""
        if not trace or len(trace) > _LONGEST:
            return Context()
        return self._propagator.extract({"traceparent": trace}, Context())


def _root_kind(trace: str) -> SpanKind:
    return SpanKind.SERVER if trace else SpanKind.INTERNAL


def _of(subject: Subject, root: str) -> Facts:
    facts: Facts = {
        "penstock.namespace": subject.namespace,
        f"penstock.{root}": subject.name,
    }
    return facts | {"penstock.fid": subject.fid} if subject.fid else facts


def _name(path: str) -> str:
    """The name of the node at the end of a path, without what counts its firings."""
    return path.rpartition("/")[2].partition("#")[0].partition("[")[0]


def _conclude(span: Span, outcome: Outcome, error: Error | None) -> None:
    span.set_attribute("penstock.outcome", outcome.value)
    if error is not None:
        span.set_attribute("error.type", error.code)
        span.set_status(Status(StatusCode.ERROR, error.message))
