"""What a resident graph behind a real listener tells of itself."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from tests.engine.watching import until
from tests.resident.world import OpenVault
from tests.telemetry.test_metrics import values
from tests.telemetry.test_traces import PARENT, Spans, facts, id_of, trace_of
from tests.telemetry.watcher import Watcher

from penstock import NodeContext, node
from penstock.document.reader import examine_data
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.loading import Loader
from penstock.engine.observer import Observer, together
from penstock.engine.resident.resident import Resident
from penstock.engine.runtime import Runtime
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore
from penstock.telemetry.log import DetailedLog, Log
from penstock.telemetry.log_output import LogOutput
from penstock.telemetry.metrics import Metrics


@node("work")
async def work(value: Any = None, *, fails: str = "", ctx: NodeContext) -> str:
    ctx.message("at work")
    if fails:
        raise OSError(fails)
    return ctx.traceparent


class Served:
    """A namespace that is served, and a client of its listener."""

    def __init__(self, resident: Resident, specs: Specs, client: aiohttp.ClientSession) -> None:
        self.resident = resident
        self.client = client
        self._specs = specs

    async def apply(self, *documents: dict[str, Any]) -> None:
        await self._specs.apply([examine_data(list(documents))], namespace="default")
        await self.resident.reached(await self.resident.runtime.store.position())

    async def get(self, path: str = "/", **headers: str) -> tuple[int, Any]:
        port = self.resident.table.symbols["api"].node.describe().rpartition(":")[2]  # type: ignore[attr-defined]
        async with self.client.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def served(observer: Observer | None) -> AsyncIterator[Served]:
    scheme = standard_scheme()
    scheme.add(work)
    store = MemoryStore()
    async with (
        Runtime(store, loader=Loader(scheme), observer=observer) as runtime,
        Resident(runtime, "default", values=Values(store, vault=OpenVault())) as resident,
        aiohttp.ClientSession() as client,
    ):
        yield Served(resident, Specs(store, scheme=scheme), client)


def listener(to: str, **fields: Any) -> dict[str, Any]:
    links = {"out": to} | fields.pop("links", {})
    return {"kind": "listener", "name": "api", "protocol": "http", "port": 0, "links": links, **fields}


HELLO = {"kind": "snippet", "name": "hello", "language": "json", "code": '"hello"'}


async def test_requests_and_the_processes_behind_them_are_counted() -> None:
    metrics = Metrics()
    async with served(metrics) as home:
        await home.apply(listener("hello"), HELLO)
        for _ in range(3):
            assert (await home.get())[0] == 200
        await home.apply(listener("work"), {"kind": "work", "name": "work", "fails": "no"})
        assert (await home.get())[0] == 500
        found = values(metrics)
    of = "listener=api,%snamespace=default%s"
    assert found[f"penstock_http_requests_total{{{of % ('method=GET,', ',status=200')}}}"] == 3
    assert found[f"penstock_http_requests_total{{{of % ('method=GET,', ',status=500')}}}"] == 1
    assert found[f"penstock_http_requests_in_flight{{{of % ('', '')}}}"] == 0
    assert found[f"penstock_http_response_bytes_total{{{of % ('', '')}}}"] > 15
    ended = "penstock_processes_ended_total{namespace=default,outcome=%s,trigger=api}"
    assert (found[ended % "completed"], found[ended % "failed"]) == (3, 1)
    assert found["penstock_processes_started_total{namespace=default,trigger=api}"] == 4
    assert found["penstock_node_attempts_total{kind=work,outcome=failed}"] == 1
    assert found["penstock_symbols{namespace=default,status=active}"] == 3
    assert found["penstock_loader_reloads_total{namespace=default,outcome=completed}"] >= 2


async def test_a_request_is_one_trace_from_its_header_to_the_node_that_hands_it_on() -> None:
    spans = Spans()
    async with served(spans.traces) as home:
        await home.apply(listener("work"), {"kind": "work", "name": "work"})
        status, told = await home.get(traceparent=PARENT)
        assert status == 200
        await until(lambda: len(spans.names()) == 2)
    root, inner = spans.one("api"), spans.one("work work")
    assert f"{trace_of(root):032x}" == PARENT.split("-")[1]
    assert root.parent is not None
    assert f"{root.parent.span_id:016x}" == PARENT.split("-")[2]
    assert inner.parent is not None
    assert inner.parent.span_id == id_of(root)
    assert told.split("-")[1:3] == [PARENT.split("-")[1], f"{id_of(inner):016x}"]
    assert facts(root)["penstock.fid"] == facts(inner)["penstock.fid"]


async def test_an_inline_request_has_its_span_in_the_trace_of_its_client() -> None:
    spans = Spans()
    async with served(spans.traces) as home:
        await home.apply(listener("hello"), HELLO)
        assert await home.get(traceparent=PARENT) == (200, "hello")
    assert f"{trace_of(spans.one('api')):032x}" == PARENT.split("-")[1]


async def test_a_failure_is_in_the_log_with_the_process_it_happened_in() -> None:
    page = io.StringIO()
    with LogOutput(page, format="json"):
        async with served(Log()) as home:
            await home.apply(listener("work"), {"kind": "work", "name": "work", "fails": "its affair"})
            status, told = await home.get()
    assert status == 500
    assert "its affair" not in told
    lines = {line["event"]: line for line in map(json.loads, page.getvalue().splitlines())}
    failed = lines["process failed"]
    assert (failed["trigger"], failed["at"], failed["code"]) == ("api", "work", "OSError")
    assert failed["error"] == "OSError: its affair"
    assert lines["at work"]["process"] == lines["node failed"]["process"] == failed["process"]


async def test_every_line_about_a_traced_process_names_its_trace() -> None:
    spans, page = Spans(), io.StringIO()
    with LogOutput(page, format="json", level="debug", trace=spans.traces.trace_id):
        async with served(together(spans.traces, DetailedLog())) as home:
            await home.apply(listener("work"), {"kind": "work", "name": "work", "fails": "no"})
            await home.get(traceparent=PARENT)
    lines = [json.loads(line) for line in page.getvalue().splitlines()]
    about = [line for line in lines if line["logger"] in ("penstock.process", "penstock.node")]
    assert [line["event"] for line in about] == [
        "process began",
        "node began",
        "at work",
        "node failed",
        "process failed",
    ]
    assert {line["trace_id"] for line in about} == {PARENT.split("-")[1]}


async def test_a_broken_node_is_told_once_with_its_reason_and_again_when_it_is_well() -> None:
    watcher = Watcher()
    async with served(watcher) as home:
        await home.apply(HELLO | {"name": "a", "links": {"out": "b"}})
        await home.apply({"kind": "nop", "name": "b"})
        told = [(told[1].name, told[3], bool(told[4])) for told in watcher.of("symbol_changed")]
    states = [state for name, *state in told if name == "a"]
    assert len(states) == 2
    assert states[0][1] is True
    assert states[1] == ["active", False]


async def test_all_observers_together_agree_on_what_happened() -> None:
    metrics, spans, watcher = Metrics(), Spans(), Watcher()
    page = io.StringIO()
    with LogOutput(page, format="json"):
        async with served(together(spans.traces, Log(), metrics, watcher)) as home:
            await home.apply(listener("work"), {"kind": "work", "name": "work"})
            for _ in range(5):
                await home.get()
            await until(lambda: len(spans.named("api")) == 5)
    assert len(watcher.of("process_ended")) == len(watcher.of("request_done")) == 5
    ended = "penstock_processes_ended_total{namespace=default,outcome=completed,trigger=api}"
    assert values(metrics)[ended] == 5
    assert page.getvalue().count('"at work"') == 5


async def test_without_an_observer_nothing_is_asked_of_one() -> None:
    async with served(None) as home:
        await home.apply(listener("work"), {"kind": "work", "name": "work"})
        assert await home.get(traceparent=PARENT) == (200, "")
