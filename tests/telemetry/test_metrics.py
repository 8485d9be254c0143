"""What is counted, and how Prometheus reads it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from tests.engine.flows import graph
from tests.engine.locking import answered
from tests.engine.watching import result_of, until
from tests.engine.world import CHAIN, World

from penstock import NodeContext, Runtime, node
from penstock.core.errors import RunCancelled, RunFailed, StoreError
from penstock.core.locks import LockState
from penstock.core.payload import Error
from penstock.engine.observer import Outcome, Subject
from penstock.telemetry.exposition import Exposition
from penstock.telemetry.families import families_of
from penstock.telemetry.instruments import MOST, Counts, Durations
from penstock.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

API = Subject("default", "api")
ERROR = Error(code="OSError", message="no")
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def values(metrics: Metrics) -> dict[str, float]:
    """Every sample as `name{label=value,…}`, without the system's own."""
    text, _ = Exposition(metrics).text()
    return {
        _written(sample.name, sample.labels): sample.value
        for family in read_text(text.decode())
        for sample in family.samples
        if sample.name.startswith("penstock_")
    }


def _written(name: str, labels: dict[str, str]) -> str:
    inner = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def counted(metrics: Metrics) -> AsyncIterator[Runtime]:
    async with Runtime("memory:", observer=metrics) as runtime:
        yield runtime


@node("fail")
async def fail(value: Any = None, *, times: int = 0, ctx: NodeContext) -> str:
    if not times or ctx.attempt <= times:
        raise OSError("no")
    return "well"


# --- runs and nodes ---------------------------------------------------------------


async def test_runs_are_counted_by_flow_and_outcome(counted: Runtime, metrics: Metrics) -> None:
    world = World()
    world.gate.set()
    for _ in range(2):
        await result_of(await counted.start(graph(CHAIN, world.effect)))
    broken = await counted.start(graph("{flow: broken, nodes: [{kind: fail, name: a}]}", fail))
    with pytest.raises(RunFailed):
        await result_of(broken)
    await until(lambda: counted.resident == 0)
    found = values(metrics)
    assert found["penstock_runs_started_total{flow=chain}"] == 2
    assert found["penstock_runs_started_total{flow=broken}"] == 1
    assert found["penstock_runs_ended_total{flow=chain,outcome=completed}"] == 2
    assert found["penstock_runs_ended_total{flow=broken,outcome=failed}"] == 1
    assert found["penstock_runs_resident{flow=chain}"] == 0
    assert found["penstock_run_duration_seconds_count{flow=chain}"] == 2
    assert found["penstock_node_attempts_total{kind=effect,outcome=completed}"] == 6
    assert found["penstock_node_attempts_total{kind=fail,outcome=failed}"] == 1
    assert found["penstock_node_attempt_duration_seconds_count{kind=effect}"] == 6


async def test_a_run_that_is_executed_is_resident_and_a_cancelled_one_is_counted(
    counted: Runtime, metrics: Metrics
) -> None:
    world = World()
    run = await counted.start(graph(CHAIN, world.effect))
    await until(lambda: len(world.keys) == 2)
    assert values(metrics)["penstock_runs_resident{flow=chain}"] == 1
    await run.cancel()
    with pytest.raises(RunCancelled):
        await result_of(run)
    found = values(metrics)
    assert found["penstock_runs_ended_total{flow=chain,outcome=cancelled}"] == 1
    assert found["penstock_node_attempts_total{kind=effect,outcome=cancelled}"] == 1


async def test_locks_are_counted_by_flow_and_by_what_became_of_them(
    counted: Runtime, metrics: Metrics
) -> None:
    text = """
    flow: f
    nodes:
      - {kind: lock, name: ask, links: {candidate: "no"}}
      - {kind: if, name: "no", when: self.value > 1, links: {"true": take, "false": deny}}
      - {kind: snippet, name: take, language: cel, code: self.value}
      - {kind: throw, name: deny, code: denied, message: more}
    """
    run = await counted.start(graph(text))
    assert not (await answered(counted, run, 1)).released
    assert (await answered(counted, run, 2)).released
    await result_of(run)
    late = await counted.start(
        graph("{flow: f, nodes: [{kind: lock, name: late, candidate_timeout: 0s}]}")
    )
    with pytest.raises(RunFailed):
        await result_of(late)
    found = values(metrics)
    assert found["penstock_locks_opened_total{flow=f}"] == 2
    assert found["penstock_locks_settled_total{flow=f,state=released}"] == 1
    assert found["penstock_locks_settled_total{flow=f,state=expired}"] == 1
    assert found["penstock_lock_candidates_total{flow=f,outcome=denied}"] == 1
    assert found["penstock_lock_candidates_total{flow=f,outcome=released}"] == 1
    assert found["penstock_lock_duration_seconds_count{flow=f}"] == 2


async def test_retries_are_counted_by_kind(counted: Runtime, metrics: Metrics) -> None:
    text = "{flow: f, nodes: [{kind: fail, name: a, times: 2, retry: {attempts: 3, delay: 0s}}]}"
    await result_of(await counted.start(graph(text, fail)))
    assert values(metrics)["penstock_node_retries_total{kind=fail}"] == 2


async def test_commits_and_their_events_are_counted(counted: Runtime, metrics: Metrics) -> None:
    run = await counted.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}"))
    await result_of(run)
    found = values(metrics)
    assert found["penstock_store_events_total"] == (await run.row()).seq
    commits = found["penstock_store_commits_total{outcome=completed}"]
    assert commits == found["penstock_store_commit_duration_seconds_count"] > 0


async def test_a_commit_that_was_refused_counts_as_failed(
    counted: Runtime, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(batch: object) -> None:
        raise StoreError("the disk is full")

    run = await counted.start(graph(CHAIN, (world := World()).effect))
    await until(lambda: len(world.keys) == 2)
    monkeypatch.setattr(counted.store, "commit", refuse)
    world.gate.set()
    with pytest.raises(StoreError):
        await result_of(run)
    assert values(metrics)["penstock_store_commits_total{outcome=failed}"] >= 1


# --- processes and requests ---------------------------------------------------------


def test_processes_that_answer_at_once_are_counted_like_the_others(metrics: Metrics) -> None:
    first = API._replace(fid="1")
    metrics.process_began(first, "")
    for seconds in (0.00002, 0.0004):
        metrics.process_answered(API, seconds, "")
    metrics.process_answered(API, 0.2, "")
    metrics.process_failed(API, 0.00001, ERROR, "")
    found = values(metrics)
    assert found["penstock_processes_started_total{namespace=default,trigger=api}"] == 5
    assert found["penstock_processes_in_flight{namespace=default,trigger=api}"] == 1
    metrics.process_ended(first, Outcome.CANCELLED, 3.0, None)
    found = values(metrics)
    by_outcome = "penstock_processes_ended_total{namespace=default,outcome=%s,trigger=api}"
    assert [found[by_outcome % outcome] for outcome in Outcome] == [3, 1, 1]
    assert found["penstock_processes_in_flight{namespace=default,trigger=api}"] == 0
    bucket = "penstock_process_duration_seconds_bucket{le=%s,namespace=default,trigger=api}"
    assert found[bucket % "0.0005"] == 3
    assert found[bucket % "0.25"] == 4
    assert found[bucket % "+Inf"] == 5
    total = found["penstock_process_duration_seconds_sum{namespace=default,trigger=api}"]
    assert total == pytest.approx(3.20043)


def test_requests_are_counted_by_method_and_status(metrics: Metrics) -> None:
    metrics.request_done(API, "GET", 200, 0.0001, 0, 100)
    metrics.request_done(API, "GET", 200, 0.02, 0, 100)
    metrics.request_done(API, "POST", 400, 0.0001, 7, 30)
    metrics.requests_open(API, 1)
    metrics.websockets_open(API, 1)
    found = values(metrics)
    counted = "penstock_http_requests_total{listener=api,method=%s,namespace=default,status=%s}"
    assert found[counted % ("GET", 200)] == 2
    assert found[counted % ("POST", 400)] == 1
    of = "{listener=api,namespace=default}"
    assert found[f"penstock_http_request_bytes_total{of}"] == 7
    assert found[f"penstock_http_response_bytes_total{of}"] == 230
    assert found[f"penstock_http_requests_in_flight{of}"] == 1
    assert found[f"penstock_websockets_open{of}"] == 1
    assert found[f"penstock_http_request_duration_seconds_count{of}"] == 3
    assert found[f"penstock_http_request_duration_seconds_sum{of}"] == pytest.approx(0.0202)
    bucket = "penstock_http_request_duration_seconds_bucket{le=%s,listener=api,namespace=default}"
    assert (found[bucket % "0.0005"], found[bucket % "0.025"]) == (2, 3)


def test_a_client_cannot_make_labels_of_its_own(metrics: Metrics) -> None:
    for number in range(10 * MOST):
        metrics.request_done(API, f"METHOD{number}", 200, 0.0, 0, 0)
    found = [key for key in values(metrics) if key.startswith("penstock_http_requests_total")]
    assert found == [
        "penstock_http_requests_total{listener=api,method=other,namespace=default,status=200}"
    ]


def test_families_have_a_bound(metrics: Metrics) -> None:
    for number in range(MOST + 50):
        subject = Subject("default", f"n{number}", f"f{number}")
        metrics.run_started(subject)
        metrics.run_ended(subject, Outcome.COMPLETED, 1.0, None)
        metrics.process_answered(subject._replace(fid=""), 0.0, "")
        metrics.request_done(subject._replace(fid=""), "GET", 200, 0.0, 0, 0)
    assert metrics.runs_started["other",] == 50
    assert len(metrics.runs_started) == len(metrics.run_durations) == MOST + 1
    assert len(metrics.processes) == len(metrics.requests) == MOST + 1


def test_counts_and_durations_put_what_is_too_much_together() -> None:
    counts, durations = Counts(), Durations((1.0,))
    for number in range(MOST + 2):
        counts.add(str(number), "x")
        durations.add(0.5, str(number))
    assert counts["other", "other"] == 2
    assert durations["other",].count == 2
    counts.add("0", "x")
    assert counts["0", "x"] == 2


# --- loader ---------------------------------------------------------------------------


def test_symbols_are_shown_by_their_status_of_now(metrics: Metrics) -> None:
    for name, status in [("a", "broken"), ("b", "active"), ("a", "active"), ("c", "active"), ("b", "")]:
        metrics.symbol_changed(Subject("default", name), "nop", status, "")
    found = values(metrics)
    assert found["penstock_symbols{namespace=default,status=active}"] == 2
    assert "penstock_symbols{namespace=default,status=broken}" not in found


def test_reloads_failures_and_warnings_are_counted(metrics: Metrics) -> None:
    metrics.reloaded("default", 3, 0.01, None)
    metrics.reloaded("default", 0, 0.01, ERROR)
    metrics.trigger_failed(API, ERROR)
    metrics.warned(API, "late", {})
    found = values(metrics)
    assert found["penstock_loader_reloads_total{namespace=default,outcome=completed}"] == 1
    assert found["penstock_loader_reloads_total{namespace=default,outcome=failed}"] == 1
    assert found["penstock_loader_changes_total{namespace=default}"] == 3
    assert found["penstock_trigger_failures_total{namespace=default,trigger=api}"] == 1
    assert found["penstock_warnings_total{namespace=default,trigger=api}"] == 1


# --- exposition -------------------------------------------------------------------------


def busy() -> Metrics:
    """Metrics in which every family has a sample."""
    metrics = Metrics()
    run = Subject("default", "flow", "01hz")
    metrics.run_started(run)
    metrics.run_entered(run, "")
    metrics.run_ended(run, Outcome.COMPLETED, 1.0, None)
    metrics.process_answered(API, 0.0, "")
    metrics.attempt_ended(run, "a", "http.request", Outcome.COMPLETED, 0.1, None)
    metrics.retried(run, "a", "http.request", 1, 0.1, ERROR)
    metrics.warned(API, "late", {})
    metrics.lock_opened(run, "ask", "ask")
    metrics.candidate_decided(run, "ask", "released")
    metrics.lock_settled(run, "ask", "ask", LockState.RELEASED, 5.0)
    metrics.trigger_failed(API, ERROR)
    metrics.request_done(API, "GET", 200, 0.1, 1, 2)
    metrics.reloaded("default", 1, 0.1, None)
    metrics.symbol_changed(API, "listener", "active", "")
    metrics.committed(10, 0.001, None)
    return metrics


def lint(family: Metric) -> list[str]:
    """What `promtool check metrics` would say, as far as it applies here."""
    found = []
    if not family.documentation.endswith("."):
        found.append("no help text that is a sentence")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", family.name):
        found.append("a name of other characters than a-z, 0-9 and _")
    if re.search(r"_(milliseconds|minutes|hours|ms|kilobytes|megabytes|percent)\b", family.name):
        found.append("not a base unit")
    if re.search(r"(^|_)(counter|gauge|histogram|summary)($|_)", family.name):
        found.append("its type is part of its name")
    if family.type == "unknown":
        found.append("no type")
    for sample in family.samples:
        if family.type == "counter" and not sample.name.endswith("_total"):
            found.append(f"{sample.name} is a counter without _total")
        if family.type != "counter" and sample.name.endswith("_total"):
            found.append(f"{sample.name} ends with _total and is no counter")
        if family.type == "histogram" and "_seconds" not in sample.name:
            found.append(f"{sample.name} does not say its unit")
        found += [
            f"label {label}" for label in sample.labels if label in ("fid", "process", "run", "id")
        ]
    return found


def test_every_metric_keeps_the_rules_of_prometheus() -> None:
    text, content_type = Exposition(busy()).text()
    families = [found for found in read_text(text.decode()) if found.name.startswith("penstock_")]
    assert content_type.startswith("text/plain")
    assert {family.name: lint(family) for family in families if lint(family)} == {}
    assert len(families) == len(families_of(Metrics()))
    assert all(family.samples for family in families)


def test_openmetrics_is_given_to_those_who_ask_for_it_and_says_units() -> None:
    text, content_type = Exposition(busy()).text(OPENMETRICS)
    families = {family.name: family for family in read_openmetrics(text.decode())}
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert families["penstock_http_request_bytes"].unit == "bytes"
    assert families["penstock_run_duration_seconds"].unit == "seconds"


def test_nothing_is_registered_with_the_registry_that_all_programs_share() -> None:
    from prometheus_client import REGISTRY

    Exposition(busy()).text()
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("penstock_")]


def test_metrics_of_the_systems_process_are_there_too() -> None:
    text, _ = Exposition(Metrics()).text()
    assert b"process_resident_memory_bytes" in text
    assert b"python_info" in text


def test_the_reference_lists_every_metric_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text("utf-8")
    rows = [
        f"| `{family.name}` | {family.type} | {', '.join(family.labels)} | {family.help} |"
        for family in families_of(Metrics())
    ]
    assert [row for row in rows if row not in page] == []
    assert page.count("| `penstock_") == len(rows)


async def test_a_scrape_while_runs_end_sees_a_whole_histogram(
    counted: Runtime, metrics: Metrics
) -> None:
    world = World()
    world.gate.set()
    runs = [await counted.start(graph(CHAIN, world.effect)) for _ in range(20)]
    seen = []
    async with asyncio.timeout(5):
        while metrics.runs_ended.get(("chain", "completed")) != 20:
            found = values(metrics)
            ended = found.get("penstock_runs_ended_total{flow=chain,outcome=completed}", 0)
            seen.append((ended, found.get("penstock_run_duration_seconds_count{flow=chain}", 0)))
            await asyncio.sleep(0)
    await asyncio.gather(*(run.result() for run in runs))
    assert all(ended == timed for ended, timed in seen)
