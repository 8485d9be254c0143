"""Spans, and how a trace goes from one program to the next."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from tests.engine.flows import graph
from tests.engine.watching import result_of, until
from tests.engine.world import CHAIN, World
from tests.kinds.http_server import serve

from penstock import NodeContext, Runtime, flow, node
from penstock.core.errors import RunFailed, SettingsError
from penstock.core.payload import Error
from penstock.engine.observer import Outcome, Subject
from penstock.telemetry import trace_export
from penstock.telemetry.telemetry import Telemetry
from penstock.telemetry.trace_export import TraceExport, is_configured
from penstock.telemetry.trace_ids import TraceIds
from penstock.telemetry.traces import Traces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
API = Subject("default", "api")
PROCESS = API._replace(fid="01hz")


class Spans:
    """Finished spans, found by name."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        ids = TraceIds()
        provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = Traces(provider.get_tracer("test"), ids)

    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    """Every span that was made current is put back."""
    yield
    assert not get_current_span().get_span_context().is_valid


@pytest.fixture
async def traced(spans: Spans) -> AsyncIterator[Runtime]:
    async with Runtime("memory:", observer=spans.traces) as runtime:
        yield runtime
    assert spans.traces._open == {}


@node("fail")
async def fail(value: Any = None, *, times: int = 0, text: str = "no", ctx: NodeContext) -> str:
    if not times or ctx.attempt <= times:
        raise OSError(text)
    return "well"


# --- what has a span -----------------------------------------------------------------


async def test_a_run_has_a_span_and_each_effect_one_below_it(traced: Runtime, spans: Spans) -> None:
    world = World()
    world.gate.set()
    run = await traced.start(graph(CHAIN, world.effect))
    await result_of(run)
    await until(lambda: "run chain" in spans.names())
    assert spans.names() == ["effect a", "effect b", "effect c", "run chain"]
    root = spans.one("run chain")
    assert root.parent is None
    assert facts(root) == {
        "penstock.namespace": "default",
        "penstock.flow": "chain",
        "penstock.fid": run.fid,
        "penstock.outcome": "completed",
    }
    for name in ("a", "b", "c"):
        span = spans.one(f"effect {name}")
        assert span.parent is not None
        assert span.parent.span_id == id_of(root)
        assert facts(span) == {
            "penstock.namespace": "default",
            "penstock.fid": run.fid,
            "penstock.node": name,
            "penstock.kind": "effect",
            "penstock.attempt": 1,
            "penstock.outcome": "completed",
        }


async def test_children_are_nested_and_so_is_what_fires_in_them(traced: Runtime, spans: Spans) -> None:
    @node("work")
    async def work(value: Any) -> Any:
        return value

    text = """
    flow: f
    inputs: {in: {}}
    nodes:
      - {kind: loop, name: each, links: {out: inner}}
      - {kind: work, name: inner}
    """
    await result_of(await traced.start(graph(text, work), **{"in": [1, 2, 3]}))
    await until(lambda: "run f" in spans.names())
    loop, calls = spans.one("loop each"), spans.named("call each")
    assert [call.parent and call.parent.span_id for call in calls] == [id_of(loop)] * 3
    assert {facts(call)["penstock.node"] for call in calls} == {"each[0]", "each[1]", "each[2]"}
    inner = spans.named("work inner")
    assert {span.parent and span.parent.span_id for span in inner} == {id_of(call) for call in calls}
    assert len({trace_of(span) for span in spans.exporter.get_finished_spans()}) == 1


async def test_nodes_that_run_at_the_same_time_are_siblings(traced: Runtime, spans: Spans) -> None:
    world = World()
    text = """
    flow: f
    nodes:
      - {kind: effect, name: a, held: true}
      - {kind: effect, name: b, held: true}
      - {kind: effect, name: c, held: true}
    """
    run = await traced.start(graph(text, world.effect))
    await until(lambda: len(world.keys) == 3)
    world.gate.set()
    await result_of(run)
    await until(lambda: "run f" in spans.names())
    root = spans.one("run f")
    for name in ("a", "b", "c"):
        parent = spans.one(f"effect {name}").parent
        assert parent is not None
        assert parent.span_id == id_of(root)


async def test_steps_of_a_python_flow_have_spans_below_the_gather_they_are_in(
    traced: Runtime, spans: Spans
) -> None:
    async def fetch(number: int) -> int:
        return number

    @flow
    async def inner(ctx: Any) -> int:
        return int(await ctx.step(fetch, 0))

    @flow
    async def outer(ctx: Any) -> list[int]:
        return list(await ctx.gather(ctx.step(fetch, 1), ctx.step(fetch, 2), ctx.call(inner)))

    assert await result_of(await traced.start(outer)) == [1, 2, 0]
    await until(lambda: "run outer" in spans.names())
    root, child = spans.one("run outer"), spans.one("call inner")
    parents = sorted(span.parent.span_id for span in spans.named("step fetch") if span.parent)
    assert parents == sorted([id_of(root), id_of(root), id_of(child)])


async def test_pure_nodes_have_no_span(traced: Runtime, spans: Spans) -> None:
    text = "{flow: f, nodes: [{kind: log, name: a, message: hi, links: {out: b}}, {kind: nop, name: b}]}"
    await result_of(await traced.start(graph(text)))
    await until(lambda: spans.names() == ["run f"])


async def test_a_failure_is_on_the_spans_it_passed(traced: Runtime, spans: Spans) -> None:
    run = await traced.start(graph("{flow: f, nodes: [{kind: fail, name: a}]}", fail))
    with pytest.raises(RunFailed):
        await result_of(run)
    await until(lambda: "run f" in spans.names())
    for span in (spans.one("fail a"), spans.one("run f")):
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "OSError: no"
        assert facts(span)["error.type"] == "OSError"
        assert facts(span)["penstock.outcome"] == "failed"


async def test_each_attempt_has_a_span_and_a_retry_is_an_event_of_what_is_around(
    traced: Runtime, spans: Spans
) -> None:
    text = "{flow: f, nodes: [{kind: fail, name: a, times: 1, retry: {attempts: 2, delay: 0s}}]}"
    await result_of(await traced.start(graph(text, fail)))
    await until(lambda: "run f" in spans.names())
    assert [facts(span)["penstock.attempt"] for span in spans.named("fail a")] == [1, 2]
    (event,) = spans.one("run f").events
    assert (event.name, dict(event.attributes or {})["error.type"]) == ("retry", "OSError")


async def test_secrets_do_not_reach_a_span(traced: Runtime, spans: Spans) -> None:
    text = """
    flow: f
    nodes:
      - kind: fail
        name: a
        env: {TOKEN: {name: vault, data: "{{ token }}"}}
        text: "refused: {{ .TOKEN }}"
        retry: {attempts: 2, delay: 0s}
    """
    values = {"vault": {"token": "hunter2-hunter2"}}
    run = await traced.start(graph(text, fail, values=values))
    with pytest.raises(RunFailed):
        await result_of(run)
    await until(lambda: "run f" in spans.names())
    shown = "".join(span.to_json() for span in spans.exporter.get_finished_spans())
    assert "refused: \\u2022" in shown
    assert "hunter2" not in shown


# --- from one program to the next -------------------------------------------------------


async def test_a_run_belongs_to_the_trace_that_it_was_launched_with(
    traced: Runtime, spans: Spans
) -> None:
    run = await traced.launch(graph("{flow: f, nodes: [{kind: nop, name: a}]}"), trace=PARENT)
    await result_of(run)
    await until(lambda: spans.names() == ["run f"])
    root = spans.one("run f")
    assert f"{trace_of(root):032x}" == PARENT.split("-")[1]
    assert root.parent is not None
    assert f"{root.parent.span_id:016x}" == PARENT.split("-")[2]
    assert root.parent.is_remote
    assert root.kind is SpanKind.SERVER


@pytest.mark.parametrize("trace", ["", "nonsense", "00-0-0-00", "00-" + "a" * 600])
async def test_a_traceparent_that_says_nothing_begins_a_trace(spans: Spans, trace: str) -> None:
    spans.traces.process_began(PROCESS, trace)
    spans.traces.process_ended(PROCESS, Outcome.COMPLETED, 0.1, None)
    assert spans.one("api").parent is None


async def test_a_run_goes_on_in_its_trace_after_a_restart(tmp_path: Path, spans: Spans) -> None:
    world, after = World(), World()
    url = f"sqlite:///{tmp_path}/a.db"
    chain = graph(CHAIN, world.effect)
    async with Runtime(url, observer=spans.traces) as runtime:
        plain = await runtime.start(chain)
        told = await runtime.launch(chain, trace=PARENT)
        await until(lambda: len(world.keys) == 4)
    first = {facts(span)["penstock.fid"]: trace_of(span) for span in spans.named("run chain")}
    spans.exporter.clear()
    after.gate.set()
    async with Runtime(
        url, observer=spans.traces, kinds=(), scheme=_scheme(after.effect), recover=True
    ) as runtime:
        await result_of(runtime.get(plain.fid))
        await result_of(runtime.get(told.fid))
        await until(lambda: len(spans.named("run chain")) == 2)
    second = {facts(span)["penstock.fid"]: trace_of(span) for span in spans.named("run chain")}
    assert first == second
    assert f"{first[told.fid]:032x}" == PARENT.split("-")[1]
    assert first[plain.fid] != first[told.fid]


def _scheme(*kinds: Any) -> Any:
    from tests.engine.flows import scheme_with

    return scheme_with(*kinds)


async def test_requests_carry_the_trace_on(traced: Runtime, spans: Spans) -> None:
    async with serve() as server:
        text = f"{{flow: f, nodes: [{{kind: http.request, name: a, url: '{server.url}/echo'}}]}}"
        run = await traced.launch(graph(text), trace=PARENT)
        await result_of(run)
        await until(lambda: "run f" in spans.names())
    span = spans.one("http.request a")
    assert span.kind is SpanKind.CLIENT
    sent = server.requests[0][2]["traceparent"]
    version, trace, parent, flags = sent.split("-")
    assert (version, trace) == ("00", PARENT.split("-")[1])
    assert int(flags, 16) & 1
    assert parent == f"{id_of(span):016x}"


async def test_a_traceparent_of_ones_own_is_left_alone_and_none_is_made_without_traces(
    traced: Runtime,
) -> None:
    async with serve() as server:
        text = "{flow: f, nodes: [{kind: http.request, name: a, url: '%s/echo', headers: {%s}}]}"
        await result_of(await traced.start(graph(text % (server.url, f"Traceparent: '{PARENT}'"))))
        async with Runtime("memory:") as untraced:
            await result_of(await untraced.start(graph(text % (server.url, ""))))
    own, none = (request[2] for request in server.requests)
    assert own["traceparent"] == PARENT
    assert "traceparent" not in none


async def test_a_run_that_is_launched_within_a_trace_belongs_to_it(
    traced: Runtime, spans: Spans
) -> None:
    spans.traces.process_began(PROCESS, PARENT)
    run = await traced.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}"))
    await result_of(run)
    spans.traces.process_ended(PROCESS, Outcome.COMPLETED, 0.1, None)
    await until(lambda: len(spans.names()) == 2)
    assert trace_of(spans.one("run f")) == trace_of(spans.one("api"))


async def test_code_in_a_thread_is_within_the_span_of_its_node(traced: Runtime, spans: Spans) -> None:
    @node("blocking")
    def blocking(value: Any = None, *, ctx: NodeContext) -> list[str]:
        return [ctx.traceparent, f"{get_current_span().get_span_context().span_id:016x}"]

    run = await traced.start(graph("{flow: f, nodes: [{kind: blocking, name: a}]}", blocking))
    told, current = await result_of(run)
    assert told.split("-")[2] == current == f"{id_of(spans.one('blocking a')):016x}"


# --- root processes of triggers ---------------------------------------------------------


async def test_a_process_has_a_span_in_the_trace_of_its_request(spans: Spans) -> None:
    spans.traces.process_began(PROCESS, PARENT)
    assert spans.traces.trace_id() == PARENT.split("-")[1]
    spans.traces.process_ended(PROCESS, Outcome.FAILED, 0.1, Error(code="x", message="no"))
    assert spans.traces.trace_id() == ""
    assert facts(spans.one("api")) == {
        "penstock.namespace": "default",
        "penstock.trigger": "api",
        "penstock.fid": "01hz",
        "penstock.outcome": "failed",
        "error.type": "x",
    }


async def test_a_process_that_answered_at_once_has_a_span_of_its_length(spans: Spans) -> None:
    spans.traces.process_answered(API, 0.25, PARENT)
    span = spans.one("api")
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 250_000_000
    assert f"{trace_of(span):032x}" == PARENT.split("-")[1]


def test_the_trace_of_a_run_follows_from_its_id_and_others_do_not() -> None:
    ids = TraceIds()
    ids.next_of = "01hz"
    first, again = ids.generate_trace_id(), ids.generate_trace_id()
    ids.next_of = ""
    other = ids.generate_trace_id()
    assert first == again != other
    assert 0 < first < 2**128


# --- export -------------------------------------------------------------------------------


@asynccontextmanager
async def collector(received: list[ExportTraceServiceRequest]) -> AsyncIterator[str]:
    """A receiver of OTLP over HTTP, as OpenTelemetry's collector is one."""

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        received.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_spans_reach_a_collector_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received: list[ExportTraceServiceRequest] = []
    async with collector(received) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
        async with (
            Telemetry(log=None) as telemetry,
            Runtime("memory:", observer=telemetry.observer) as runtime,
        ):
            run = await runtime.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}"))
            await result_of(run)
    (resource,) = received[0].resource_spans
    about = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert about["service.name"] == "penstock"
    assert about["deployment.environment"] == "test"
    (span,) = resource.scope_spans[0].spans
    assert span.name == "run f"
    assert {item.key: item.value.string_value for item in span.attributes}["penstock.fid"] == run.fid


async def test_a_collector_that_is_not_there_does_not_hold_the_end_up_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(trace_export, "FLUSH_SECONDS", 0.05)
    async with asyncio.timeout(5), Telemetry(log=None) as telemetry:
        assert telemetry.observer is not None
        telemetry.observer.process_answered(API, 0.1, "")


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
    ],
)
def test_traces_are_made_when_the_environment_says_where_to(
    environ: dict[str, str], wanted: bool
) -> None:
    assert is_configured(environ) is wanted


@pytest.mark.parametrize(
    ("environ", "remedy"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "otlp, console or none"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_with_a_remedy(environ: dict[str, str], remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        TraceExport(environ)
    assert remedy in refused.value.remedy


def test_a_missing_extra_is_said_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError) as refused:
        TraceExport({})
    assert "penstock[telemetry]" in refused.value.remedy


def test_traces_that_are_not_wanted_import_nothing() -> None:
    import subprocess
    import sys

    code = """
import asyncio, sys
from penstock.telemetry.telemetry import Telemetry

async def main():
    async with Telemetry(log=None, environ={}):
        heavy = ("opentelemetry", "prometheus_client", "structlog")
        print([name for name in sys.modules if name.startswith(heavy)])

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_line_of_the_log_names_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    page = io.StringIO()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    async with (
        Telemetry(log="json", stream=page) as telemetry,
        Runtime("memory:", observer=telemetry.observer) as runtime,
    ):
        run = await runtime.launch(graph("{flow: f, nodes: [{kind: nop, name: a}]}"), trace=PARENT)
        await result_of(run)
    ended = json.loads(page.getvalue().splitlines()[-1])
    assert ended["event"] == "run completed"
    assert re.fullmatch("[0-9a-f]{32}", ended["trace_id"])
