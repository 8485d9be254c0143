"""`/livez`, `/readyz` and `/metrics`, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import Runtime
from penstock.core.errors import ListenError, SettingsError, StoreError
from penstock.store.memory import MemoryStore
from penstock.telemetry import health as health_module
from penstock.telemetry.endpoint import parse_address
from penstock.telemetry.health import Health, loader_follows, store_answers
from penstock.telemetry.telemetry import Telemetry


@pytest.fixture
async def telemetry() -> AsyncIterator[Telemetry]:
    async with Telemetry(log=None, observe="127.0.0.1:0", environ={}) as telemetry:
        yield telemetry


@pytest.fixture
async def client(telemetry: Telemetry) -> AsyncIterator[aiohttp.ClientSession]:
    host, port = telemetry.addresses[0]
    async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
        yield client


async def test_a_process_that_answers_is_alive(client: aiohttp.ClientSession) -> None:
    async with client.get("/livez") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "alive"}
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_process_is_ready_when_every_check_is_well(
    telemetry: Telemetry, client: aiohttp.ClientSession
) -> None:
    reason = "3 changes behind"

    async def loader() -> str:
        return reason

    telemetry.health.add("loader", loader)
    telemetry.health.add("store", store_answers(MemoryStore()))
    telemetry.health.serve()
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {"status": "not ready", "reasons": {"loader": reason}}
    reason = ""
    async with client.get("/readyz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ready"}


async def test_a_process_that_has_not_loaded_everything_is_not_ready(
    telemetry: Telemetry, client: aiohttp.ClientSession
) -> None:
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert list((await answer.json())["reasons"]) == ["starting"]
    telemetry.health.serve()
    async with client.get("/readyz") as answer:
        assert answer.status == 200


async def test_a_process_that_is_about_to_end_is_alive_and_not_ready(
    telemetry: Telemetry, client: aiohttp.ClientSession
) -> None:
    telemetry.health.serve()
    telemetry.health.drain()
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert list((await answer.json())["reasons"]) == ["draining"]
    async with client.get("/livez") as answer:
        assert answer.status == 200


async def test_a_store_that_fails_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> int:
        raise StoreError("the disk is gone", remedy="look for it")

    store = MemoryStore()
    monkeypatch.setattr(store, "position", fail)
    health = Health()
    health.serve()
    health.add("store", store_answers(store))
    assert await health.reasons() == {"store": "the disk is gone"}


async def test_a_loader_that_is_a_moment_behind_is_ready_and_one_that_hangs_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved = asyncio.Event()

    async def reached(position: int) -> None:
        await moved.wait()

    health = Health()
    health.serve()
    health.add("loader", loader_follows(MemoryStore(), reached=reached))
    asyncio.get_running_loop().call_soon(moved.set)
    assert await health.reasons() == {}
    moved.clear()
    monkeypatch.setattr(health_module, "LAG_SECONDS", 0.01)
    assert await health.reasons() == {"loader": "what was written 0.01 s ago is not loaded yet"}


async def test_a_check_that_hangs_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(health_module, "PATIENCE_SECONDS", 0.01)
    health = Health()
    health.serve()
    health.add("store", hang)
    assert await health.reasons() == {"store": "no answer within 0.01 s"}


async def test_a_defect_of_a_check_is_a_500_and_not_a_ready_process(
    telemetry: Telemetry, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def defect() -> str:
        raise ZeroDivisionError("internal")

    telemetry.health.add("loader", defect)
    telemetry.health.serve()
    async with client.get("/readyz") as answer:
        assert answer.status == 500
        assert "internal" not in await answer.text()


async def test_metrics_are_those_of_the_runtime(
    telemetry: Telemetry, client: aiohttp.ClientSession
) -> None:
    async with Runtime("memory:", observer=telemetry.observer) as runtime:
        await result_of(await runtime.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}")))
    async with client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        families = {found.name: found for found in text_string_to_metric_families(await answer.text())}
    assert families["penstock_runs_started"].samples[0].value == 1


async def test_openmetrics_is_given_to_whoever_asks(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
        assert answer.content_type == "application/openmetrics-text"
        assert (await answer.text()).endswith("# EOF\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/metrics", 405),
        ("HEAD", "/metrics", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/livez?verbose=1", 200),
    ],
)
async def test_other_paths_and_methods_are_refused(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == status
        if status == 405:
            assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("9464", ("127.0.0.1", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses_are_understood(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", ":", "host", "host:", ":80", "host:http", "host:65536", "host:-1"])
def test_what_is_no_address_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(SettingsError, match="is no address") as refused:
        parse_address(text)
    assert "127.0.0.1:9464" in refused.value.remedy


async def test_an_address_that_is_taken_is_said_and_leaves_nothing_open(telemetry: Telemetry) -> None:
    import logging

    host, port = telemetry.addresses[0]
    before = logging.getLogger().handlers[:]
    with pytest.raises(ListenError):
        async with Telemetry(stream=io.StringIO(), observe=f"{host}:{port}", environ={}):
            pass
    assert logging.getLogger().handlers == before


async def test_logs_and_metrics_come_from_the_same_runtime() -> None:
    page = io.StringIO()
    async with (
        Telemetry(log="json", stream=page, observe="127.0.0.1:0", environ={}) as telemetry,
        Runtime("memory:", observer=telemetry.observer) as runtime,
    ):
        await result_of(await runtime.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}")))
    assert [json.loads(line)["event"] for line in page.getvalue().splitlines()] == [
        "run started",
        "run completed",
    ]


async def test_telemetry_that_nobody_wants_is_no_observer() -> None:
    async with Telemetry(log=None, environ={}) as telemetry:
        assert telemetry.observer is None
        assert telemetry.addresses == []
