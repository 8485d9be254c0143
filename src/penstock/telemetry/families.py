"""Families: every metric there is, with its name, its help and where its numbers are."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from penstock.telemetry.instruments import Counts, Durations, Family, Histogram, Labels
from penstock.version import __version__

if TYPE_CHECKING:
    from penstock.telemetry.metrics import Metrics, Processes, Requests

Read = Callable[[], Mapping[Labels, float | Histogram]]


def families_of(metrics: Metrics) -> tuple[Family, ...]:
    """Every metric, in the order in which they are shown."""
    return (
        _gauge(
            "penstock_build_info",
            "Which version this is; always 1.",
            ("version", "python"),
            lambda: {(__version__, platform.python_version()): 1},
        ),
        *_of_runs(metrics),
        *_of_locks(metrics),
        *_of_processes(metrics),
        *_of_nodes(metrics),
        *_of_http(metrics),
        *_of_loader(metrics),
        *_of_store(metrics),
    )


def _of_runs(metrics: Metrics) -> tuple[Family, ...]:
    flow = ("flow",)
    return (
        _counter("penstock_runs_started_total", "Runs that began.", flow, metrics.runs_started),
        _counter(
            "penstock_runs_ended_total",
            "Runs that ended; outcome is completed, failed or cancelled.",
            ("flow", "outcome"),
            metrics.runs_ended,
        ),
        _gauge(
            "penstock_runs_resident",
            "Runs in memory; those that only wait leave it.",
            flow,
            metrics.runs_resident,
        ),
        _histogram(
            "penstock_run_duration_seconds",
            "From the start of a run to its end, whatever happened in between.",
            flow,
            metrics.run_durations,
        ),
    )


def _of_locks(metrics: Metrics) -> tuple[Family, ...]:
    flow = ("flow",)
    return (
        _counter(
            "penstock_locks_opened_total",
            "Locks at which runs began to wait for somebody.",
            flow,
            metrics.locks_opened,
        ),
        _counter(
            "penstock_locks_settled_total",
            "Locks that take no candidates any more; state is released, expired or closed.",
            ("flow", "state"),
            metrics.locks_settled,
        ),
        _histogram(
            "penstock_lock_duration_seconds",
            "From the opening of a lock until it took no candidates any more.",
            flow,
            metrics.lock_durations,
        ),
        _counter(
            "penstock_lock_candidates_total",
            "Candidates that flows decided about; outcome is released or denied.",
            ("flow", "outcome"),
            metrics.candidates,
        ),
    )


def _of_processes(metrics: Metrics) -> tuple[Family, ...]:
    trigger = ("namespace", "trigger")

    def each(value: Callable[[Processes], float | Histogram]) -> Read:
        return lambda: {key[:2]: value(found) for key, found in metrics.processes.items()}

    def outcomes() -> dict[Labels, float]:
        return {
            (*key[:2], outcome): count
            for key, found in metrics.processes.items()
            for outcome, count in found.ended.items()
        }

    return (
        _counter(
            "penstock_processes_started_total",
            "Root processes that triggers started, those that are recorded as runs left out.",
            trigger,
            each(lambda found: found.started),
        ),
        _counter(
            "penstock_processes_ended_total",
            "Root processes that are over; outcome is completed, failed or cancelled.",
            (*trigger, "outcome"),
            outcomes,
        ),
        _gauge(
            "penstock_processes_in_flight",
            "Root processes that are under way.",
            trigger,
            each(lambda found: found.open),
        ),
        _histogram(
            "penstock_process_duration_seconds",
            "How long root processes took.",
            trigger,
            each(lambda found: found.durations),
        ),
        _counter(
            "penstock_trigger_failures_total",
            "Failures of a trigger beside its processes: a socket, a watch, a clock.",
            trigger,
            metrics.trigger_failures,
        ),
        _counter(
            "penstock_warnings_total",
            "Warnings of triggers and of the runtime.",
            trigger,
            metrics.warnings,
        ),
    )


def _of_nodes(metrics: Metrics) -> tuple[Family, ...]:
    return (
        _counter(
            "penstock_node_attempts_total",
            "Attempts of effectful nodes; outcome is completed, failed or cancelled.",
            ("kind", "outcome"),
            metrics.attempts,
        ),
        _histogram(
            "penstock_node_attempt_duration_seconds",
            "How long attempts of effectful nodes took, waiting between them left out.",
            ("kind",),
            metrics.attempt_durations,
        ),
        _counter(
            "penstock_node_retries_total",
            "Attempts that failed and were followed by another.",
            ("kind",),
            metrics.retries,
        ),
    )


def _of_http(metrics: Metrics) -> tuple[Family, ...]:
    listener = ("namespace", "listener")

    def each(value: Callable[[Requests], float | Histogram]) -> Read:
        return lambda: {key[:2]: value(found) for key, found in metrics.requests.items()}

    def answered() -> dict[Labels, float]:
        return {
            (*key[:2], method, str(status)): count
            for key, found in metrics.requests.items()
            for (method, status), count in found.answered.items()
        }

    return (
        _counter(
            "penstock_http_requests_total",
            "HTTP requests that were answered; a method that is not a usual one is `other`.",
            (*listener, "method", "status"),
            answered,
        ),
        _histogram(
            "penstock_http_request_duration_seconds",
            "From a request that has arrived to its answer.",
            listener,
            each(lambda found: found.durations),
        ),
        _gauge(
            "penstock_http_requests_in_flight",
            "HTTP requests that wait for their answer.",
            listener,
            each(lambda found: found.open),
        ),
        _counter(
            "penstock_http_request_bytes_total",
            "Bytes of the bodies of requests.",
            listener,
            each(lambda found: found.received),
        ),
        _counter(
            "penstock_http_response_bytes_total",
            "Bytes of the bodies of responses.",
            listener,
            each(lambda found: found.sent),
        ),
        _gauge(
            "penstock_websockets_open",
            "Websockets that are open.",
            listener,
            each(lambda found: found.websockets),
        ),
    )


def _of_loader(metrics: Metrics) -> tuple[Family, ...]:
    namespace = ("namespace",)

    def symbols() -> dict[Labels, float]:
        return {**Counter((key[0], status) for key, status in metrics.symbols.items())}

    return (
        _counter(
            "penstock_loader_reloads_total",
            "Rounds in which the loader took changes in; outcome is completed or failed.",
            ("namespace", "outcome"),
            metrics.reloads,
        ),
        _counter(
            "penstock_loader_changes_total",
            "Changed documents that the loader took in.",
            namespace,
            metrics.changes,
        ),
        _histogram(
            "penstock_loader_reload_duration_seconds",
            "How long a round of the loader took.",
            namespace,
            metrics.reload_durations,
        ),
        _gauge("penstock_symbols", "Nodes by status.", ("namespace", "status"), symbols),
    )


def _of_store(metrics: Metrics) -> tuple[Family, ...]:
    return (
        _counter(
            "penstock_store_commits_total",
            "Batches that were written to the store; outcome is completed or failed.",
            ("outcome",),
            metrics.commits,
        ),
        _counter(
            "penstock_store_events_total", "Events that were written to the store.", (), metrics.events
        ),
        _histogram(
            "penstock_store_commit_duration_seconds",
            "How long a batch took to be on disk.",
            (),
            metrics.commit_durations,
        ),
    )


def _counter(name: str, about: str, labels: Labels, read: Counts | Read) -> Family:
    return Family(name, "counter", about, labels, _read(read))


def _gauge(name: str, about: str, labels: Labels, read: Counts | Read) -> Family:
    return Family(name, "gauge", about, labels, _read(read))


def _histogram(name: str, about: str, labels: Labels, read: Durations | Read) -> Family:
    return Family(name, "histogram", about, labels, _read(read))


def _read(source: Mapping[Labels, float] | Mapping[Labels, Histogram] | Read) -> Read:
    """What holds the numbers, as a function that gives them."""
    return source if callable(source) else lambda: dict(source)
