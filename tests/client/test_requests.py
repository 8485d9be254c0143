from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.client.conftest import URL, had
from tests.client.fake_host import RUN, FakeHost, answer, problem

from penstock.client import AsyncClient, Client
from penstock.core.errors import EntryNotFound, HostError
from penstock.core.events import Event
from penstock.core.states import RunState

FLOW = {"name": "zen", "input_schema": {"properties": {"url": {"type": "string"}}}}


async def test_a_flow_is_shown_as_its_struct(host: FakeHost, client: Any) -> None:
    host.answers("GET", "/flows/zen", answer({**FLOW, "something_new": 1}))
    flow = await had(client.flow("zen"))
    assert flow.name == "zen"
    assert flow.input_schema == FLOW["input_schema"]
    assert host.last.headers["authorization"] == "Bearer t0"
    assert host.last.headers["user-agent"].startswith("penstock/")


async def test_a_name_is_one_part_of_a_path_whatever_it_holds(host: FakeHost, client: Any) -> None:
    with pytest.raises(HostError):
        await had(client.flow("a/b?c#ü"))
    assert host.lines == ["GET /flows/a%2Fb%3Fc%23%C3%BC"]


async def test_a_list_is_asked_for_page_after_page(host: FakeHost, client: Any) -> None:
    host.answers(
        "GET",
        "/flows",
        answer({"items": [{"name": "a"}, {"name": "b"}], "next": "b"}),
        answer({"items": [{"name": "c"}], "next": ""}),
    )
    assert [flow.name for flow in await had(client.flows(tag="x y"))] == ["a", "b", "c"]
    assert host.lines == ["GET /flows?tag=x+y", "GET /flows?tag=x+y&cursor=b"]


async def test_who_stops_taking_runs_asks_for_no_more_pages(host: FakeHost) -> None:
    host.answers("GET", "/runs", lambda _: answer({"items": [RUN, RUN], "next": "f1"}))
    with Client(URL, transport=httpx2.MockTransport(host)) as client:
        assert next(iter(client.runs(page=2))).fid == "f1"
    async with AsyncClient(URL, transport=httpx2.MockTransport(host)) as awaited:
        async for run in awaited.runs(page=2):
            assert run.fid == "f1"
            break
    assert len(host.asked) == 2


async def test_runs_are_filtered_by_the_host(host: FakeHost, client: Any) -> None:
    host.answers("GET", "/runs", answer({"items": [RUN], "next": ""}))
    since = datetime(2027, 1, 15, tzinfo=UTC)
    asked = client.runs(flow="zen", states=[RunState.RUNNING, "failed"], since=since, before="f9")
    (run,) = await had(asked)
    assert run.started == datetime(2027, 1, 15, 8, tzinfo=UTC)
    query = host.last.url.params
    assert query.get_list("state") == ["running", "failed"]
    assert query["since"] == "2027-01-15T00:00:00+00:00"
    assert query["cursor"] == "f9"
    assert "launcher" not in query


async def test_a_launch_gives_the_handle_of_its_run(host: FakeHost, client: Any) -> None:
    host.answers("POST", "/flows/zen/runs", answer(RUN, 201))
    run = await had(client.launch("zen", {"url": "x"}, wait=5))
    assert run.fid == "f1"
    assert run.view.state is RunState.RUNNING
    assert json.loads(host.last.content) == {"inputs": {"url": "x"}}
    assert host.last.headers["content-type"] == "application/json"
    assert host.last.headers["idempotency-key"]
    assert host.lines == ["POST /flows/zen/runs?wait=5"]


async def test_each_launch_has_a_key_of_its_own_unless_one_is_given(host: FakeHost, client: Any) -> None:
    host.answers("POST", "/flows/zen/runs", answer(RUN, 201))
    for key in ("", "", "mine"):
        await had(client.launch("zen", key=key))
    keys = [request.headers["idempotency-key"] for request in host.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


async def test_a_run_is_asked_for_what_it_is(host: FakeHost, client: Any) -> None:
    run = client.run("f1")
    host.answers("GET", "/runs/f1", answer(RUN))
    host.answers("GET", "/runs/f1/inputs", answer({"url": "x"}))
    host.answers("GET", "/runs/f1/children", answer({"items": [{"path": "a[0]", "state": "running"}]}))
    host.answers(
        "GET",
        "/runs/f1/graph",
        answer({"fid": "f1", "flow": "zen", "state": "running", "nodes": [{"path": "a", "name": "a"}]}),
    )
    host.answers("GET", "/runs/f1/node", answer({"path": "a[0]/b", "name": "b", "outputs": {"out": 1}}))
    assert (await had(run.show())).flow == "zen"
    assert await had(run.state()) is RunState.RUNNING
    assert await had(run.inputs()) == {"url": "x"}
    assert [child.path for child in await had(run.children())] == ["a[0]"]
    assert (await had(run.graph())).nodes[0].name == "a"
    assert (await had(run.node("a[0]/b"))).outputs == {"out": 1}
    assert host.lines[-1] == "GET /runs/f1/node?path=a%5B0%5D%2Fb"


async def test_a_run_is_cancelled_resumed_and_run_again(host: FakeHost, client: Any) -> None:
    run = client.run("f1")
    host.answers("POST", "/runs/f1/cancel", answer({**RUN, "state": "cancelled"}))
    host.answers("POST", "/runs/f1/resume", answer(RUN))
    host.answers("POST", "/runs/f1/retry", answer({**RUN, "fid": "f2", "retry_of": "f1"}, 201))
    assert (await had(run.cancel("enough"))).state is RunState.CANCELLED
    assert json.loads(host.last.content) == {"reason": "enough"}
    assert (await had(run.resume())).state is RunState.RUNNING
    again = await had(run.retry(node="parse", inputs={"in": 1}))
    assert type(again) is type(run)
    assert (again.fid, again.view.retry_of) == ("f2", "f1")
    assert json.loads(host.last.content) == {"from_start": False, "node": "parse", "inputs": {"in": 1}}


async def test_the_record_of_a_run_is_folded_from_its_pages(host: FakeHost, client: Any) -> None:
    at = "2027-01-15T08:00:00.500Z"
    first = {"seq": 1, "at": at, "type": "run.started", "flow": "zen", "inputs": {"url": "x"}}
    error = {"code": "http.status", "message": "503", "node": "get"}
    last = {"seq": 2, "at": at, "type": "run.failed", "error": error, "duration_ms": 1.5}
    host.answers(
        "GET",
        "/runs/f1/events",
        answer({"items": [first], "next": 1, "eof": False}),
        answer({"items": [last], "next": 2, "eof": True}),
    )
    record = await had(client.run("f1").record())
    assert (record.state, record.flow, record.inputs) == (RunState.FAILED, "zen", {"url": "x"})
    assert (record.error.code, record.error.node) == ("http.status", "get")
    assert record.duration_ms == 1.5
    assert host.lines[-1] == "GET /runs/f1/events?after=1&limit=1000"


async def test_events_that_are_there_are_read_without_waiting(host: FakeHost, client: Any) -> None:
    item = {"seq": 4, "at": "2027-01-15T08:00:00.500Z", "type": "node.stdout", "node": "a", "line": "hi"}
    host.answers(
        "GET",
        "/runs/f1/events",
        answer({"items": [item], "next": 4, "eof": False}),
        answer({"items": [], "next": 4, "eof": False}),
    )
    found = await had(client.run("f1").events(after=3, types=["node."], node="a", follow=False))
    assert found == [Event(4, 1800000000.5, "node.stdout", "a", {"line": "hi"})]
    assert host.lines[0] == "GET /runs/f1/events?after=3&type=node.&node=a&limit=1000"


async def test_the_inbox_and_the_locks_of_a_run_are_listed(host: FakeHost, client: Any) -> None:
    lock = {"lid": "l1", "fid": "f1", "name": "approve", "schema": {"type": "boolean"}, "data": {"a": 1}}
    host.answers("GET", "/locks", answer({"items": [lock]}))
    host.answers("GET", "/runs/f1/locks", answer({"items": [{**lock, "state": "released"}]}))
    host.answers("GET", "/runs/f1/lock/l1", answer({**lock, "schema": None}))
    (open_lock,) = await had(client.inbox())
    assert (open_lock.name, open_lock.schema, open_lock.data) == (
        "approve",
        {"type": "boolean"},
        {"a": 1},
    )
    assert [str(each.state) for each in await had(client.run("f1").locks())] == ["released"]
    assert (await had(client.run("f1").lock("l1"))).schema is None


async def test_an_answer_that_is_something_else_is_one_clear_error(host: FakeHost, client: Any) -> None:
    host.answers("GET", "/flows/zen", httpx2.Response(200, text="<h1>Welcome to nginx</h1>"))
    with pytest.raises(HostError, match="no FlowView"):
        await had(client.flow("zen"))


async def test_an_error_of_the_host_is_the_same_as_without_one(host: FakeHost, client: Any) -> None:
    host.answers(
        "GET",
        "/flows/zne",
        problem(404, "no flow is named `zne`", kind="entry-not-found", remedy="zen?"),
    )
    with pytest.raises(EntryNotFound, match="`zne`") as caught:
        await had(client.flow("zne"))
    assert caught.value.remedy == "zen?"
