"""Launching flows and looking at their runs, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.host.hosted import Hosted, hosted

HELLO = {
    "flow": "hello",
    "description": "Greet somebody",
    "author": "Ada",
    "tags": ["demo"],
    "inputs": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
    "required": ["name"],
    "nodes": [{"kind": "snippet", "name": "greet", "language": "jinja", "code": "hello {{ name }}"}],
}
FAILS = {
    "flow": "fails",
    "nodes": [{"kind": "throw", "name": "stop", "message": "no more"}],
}
SLEEPS = {
    "flow": "sleeps",
    "nodes": [{"kind": "delay", "name": "rest", "duration": "1h"}],
}


@pytest.fixture
async def served() -> AsyncIterator[Hosted]:
    async with hosted(HELLO, FAILS, SLEEPS) as made:
        yield made


async def test_a_flow_is_listed_with_what_it_wants(served: Hosted) -> None:
    answer = await served.admin.get("/api/v1/flows")
    assert answer.status_code == 200
    names = [flow["name"] for flow in answer.json()["items"]]
    assert names == ["fails", "hello", "sleeps"]
    flow = (await served.admin.get("/api/v1/flows/hello")).json()
    assert flow["description"] == "Greet somebody"
    assert flow["author"] == "Ada"
    assert flow["input_schema"]["required"] == ["name"]
    tagged = (await served.admin.get("/api/v1/flows?tag=demo")).json()
    assert [flow["name"] for flow in tagged["items"]] == ["hello"]


async def test_a_launch_is_answered_with_a_run_that_can_be_looked_at_at_once(served: Hosted) -> None:
    answer = await served.admin.post("/api/v1/flows/sleeps/runs", json={})
    assert answer.status_code == 201
    fid = answer.json()["fid"]
    assert answer.headers["location"] == f"/api/v1/runs/{fid}"
    shown = await served.admin.get(answer.headers["location"])
    assert shown.status_code == 200
    assert shown.json()["state"] in ("running", "waiting")
    short = await served.admin.get(f"/{fid}")
    assert short.json()["fid"] == fid


async def test_a_launch_waits_for_the_result_when_it_is_asked_to(served: Hosted) -> None:
    answer = await served.admin.post(
        "/api/v1/flows/hello/runs?wait=10", json={"inputs": {"name": "Ada"}}
    )
    assert (answer.status_code, answer.json()["state"]) == (201, "completed")
    result = await served.admin.get(answer.json()["links"]["result"])
    assert (result.status_code, result.json()["result"]) == (200, "hello Ada")
    inputs = await served.admin.get(f"/{answer.json()['fid']}/inputs")
    assert inputs.json() == {"name": "Ada", "times": 1}


async def test_a_result_that_is_not_there_yet_is_202(served: Hosted) -> None:
    run = (await served.admin.post("/api/v1/flows/sleeps/runs", json={})).json()
    result = await served.admin.get(run["links"]["result"])
    assert result.status_code == 202
    assert result.json()["result"] is None


async def test_a_host_that_ends_answers_those_who_wait_with_what_it_knows(served: Hosted) -> None:
    launching = asyncio.create_task(
        served.admin.post("/api/v1/flows/sleeps/runs?wait=60", json={}), name="a launch that waits"
    )
    while not (runs := (await served.admin.get("/api/v1/runs?flow=sleeps")).json()["items"]):
        pass
    waiting = asyncio.create_task(
        served.admin.get(f"{runs[0]['links']['result']}?wait=60"), name="a result that waits"
    )
    served.host.retire()
    launched = await launching
    assert (launched.status_code, launched.json()["fid"]) == (201, runs[0]["fid"])
    assert (await waiting).status_code == 202
    late = await served.admin.post("/api/v1/flows/sleeps/runs?wait=60", json={})
    assert late.status_code == 201


async def test_the_same_key_launches_one_run(served: Hosted) -> None:
    body = {"inputs": {"name": "Ada"}}
    key = {"Idempotency-Key": "order-17"}
    first = await served.admin.post("/api/v1/flows/hello/runs", json=body, headers=key)
    again = await served.admin.post("/api/v1/flows/hello/runs", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["fid"] == again.json()["fid"]
    other = {"inputs": {"name": "Bob"}}
    taken = await served.admin.post("/api/v1/flows/hello/runs", json=other, headers=key)
    assert taken.status_code == 409
    assert taken.json()["type"] == "urn:penstock:key-taken"


async def test_a_key_is_its_owners_alone(served: Hosted) -> None:
    key = {"Idempotency-Key": "order-17"}
    bob = await served.user("bob", "launch flow:hello")
    body = {"inputs": {"name": "Ada"}}
    first = await served.admin.post("/api/v1/flows/hello/runs", json=body, headers=key)
    other = await bob.post("/api/v1/flows/hello/runs", json=body, headers=key)
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["fid"] != other.json()["fid"]


async def test_inputs_of_the_wrong_type_are_told_with_where(served: Hosted) -> None:
    answer = await served.admin.post(
        "/api/v1/flows/hello/runs", json={"inputs": {"name": "Ada", "times": "many"}}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:penstock:input-error"
    assert problem["errors"][0]["pointer"] == "/inputs/times"


async def test_a_flow_that_is_not_there_is_404_with_the_nearest_name(served: Hosted) -> None:
    answer = await served.admin.post("/api/v1/flows/helo/runs", json={})
    assert answer.status_code == 404
    assert "did you mean `hello`?" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"input": {}}', 422),
        (b'{"inputs": []}', 422),
        (b'{"inputs": {"name": ' + b"[" * 100_000, 400),
        (b'{"inputs": {"name": "\xff"}}', 400),
    ],
)
async def test_a_body_that_is_no_launch_is_refused(served: Hosted, body: bytes, status: int) -> None:
    answer = await served.admin.post(
        "/api/v1/flows/hello/runs", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["status"] == status


async def test_another_media_type_is_415(served: Hosted) -> None:
    answer = await served.admin.post(
        "/api/v1/flows/hello/runs", content=b"<a/>", headers={"Content-Type": "application/xml"}
    )
    assert answer.status_code == 415


async def test_a_form_launches_too(served: Hosted) -> None:
    answer = await served.admin.post(
        "/api/v1/flows/hello/runs?wait=10", data={"name": "Ada", "times": "2"}
    )
    assert answer.status_code == 201
    inputs = (await served.admin.get(f"/{answer.json()['fid']}/inputs")).json()
    assert inputs == {"name": "Ada", "times": 2}


async def test_runs_come_in_pages_newest_first(served: Hosted) -> None:
    fids = [
        (await served.admin.post("/api/v1/flows/fails/runs?wait=10", json={})).json()["fid"]
        for _ in range(5)
    ]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await served.admin.get(f"/api/v1/runs?limit=2&cursor={cursor}")).json()
        seen += [run["fid"] for run in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert seen == fids[::-1]


async def test_runs_are_filtered_by_flow_and_state(served: Hosted) -> None:
    await served.admin.post("/api/v1/flows/fails/runs?wait=10", json={})
    await served.admin.post("/api/v1/flows/hello/runs?wait=10", json={"inputs": {"name": "Ada"}})
    failed = (await served.admin.get("/api/v1/runs?state=failed&state=cancelled")).json()["items"]
    assert [(run["flow"], run["state"]) for run in failed] == [("fails", "failed")]
    hello = (await served.admin.get("/api/v1/runs?flow=hello")).json()["items"]
    assert [run["flow"] for run in hello] == ["hello"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=many", "state=odd", "colour=red", "limit=1&limit=2"]
)
async def test_a_query_that_is_wrong_is_400_and_names_the_parameter(served: Hosted, query: str) -> None:
    answer = await served.admin.get(f"/api/v1/runs?{query}")
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:penstock:invalid-query"


async def test_a_graph_tells_of_the_nodes_that_a_loop_has_reached() -> None:
    loops = {
        "flow": "loops",
        "nodes": [
            {
                "kind": "snippet",
                "name": "list",
                "language": "cel",
                "code": "[1, 2]",
                "links": {"out": "each"},
            },
            {"kind": "loop", "name": "each", "links": {"out": "odd"}},
            {
                "kind": "if",
                "name": "odd",
                "when": "self > 0",
                "links": {"true": "box", "false": "never"},
            },
            {"kind": "block", "name": "box", "specs": [{"kind": "nop", "name": "never"}]},
            {"kind": "nop", "name": "never"},
        ],
    }
    async with hosted(loops) as served:
        run = (await served.admin.post("/api/v1/flows/loops/runs?wait=10", json={})).json()
        nodes = (await served.admin.get(f"/{run['fid']}/graph")).json()["nodes"]
    assert run["state"] == "completed"
    assert sorted(node["path"] for node in nodes) == [
        "each", "each[0]/box", "each[0]/box/never", "each[0]/never", "each[0]/odd",
        "each[1]/box", "each[1]/box/never", "each[1]/never", "each[1]/odd", "list",
    ]  # fmt: skip


async def test_a_failed_run_says_why(served: Hosted) -> None:
    run = (await served.admin.post("/api/v1/flows/fails/runs?wait=10", json={})).json()
    assert run["state"] == "failed"
    assert run["error"]["message"] == "no more"
    assert run["error"]["node"] == "stop"
    graph = (await served.admin.get(f"/{run['fid']}/graph")).json()
    assert [(node["name"], node["state"]) for node in graph["nodes"]] == [("stop", "failed")]


async def test_a_run_is_cancelled_with_a_reason(served: Hosted) -> None:
    run = (await served.admin.post("/api/v1/flows/sleeps/runs", json={})).json()
    answer = await served.admin.post(f"/{run['fid']}/cancel", json={"reason": "not needed"})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["reason"] == "not needed"


async def test_an_ended_run_is_retried_as_a_new_one(served: Hosted) -> None:
    run = (await served.admin.post("/api/v1/flows/fails/runs?wait=10", json={})).json()
    again = await served.admin.post(f"/{run['fid']}/retry", json={"from_start": True})
    assert again.status_code == 201
    assert again.json()["retry_of"] == run["fid"]
    running = (await served.admin.post("/api/v1/flows/sleeps/runs", json={})).json()
    busy = await served.admin.post(f"/{running['fid']}/retry", json={})
    assert busy.status_code == 409


async def test_a_firing_shows_what_it_gave(served: Hosted) -> None:
    run = (
        await served.admin.post("/api/v1/flows/hello/runs?wait=10", json={"inputs": {"name": "Ada"}})
    ).json()
    node = (await served.admin.get(f"/{run['fid']}/node?path=greet")).json()
    assert node["outputs"] == {"out": "hello Ada"}
    missing = await served.admin.get(f"/{run['fid']}/node?path=great")
    assert missing.status_code == 404
    assert "greet" in missing.json()["remedy"]


async def test_without_a_grant_nothing_is_there(served: Hosted) -> None:
    run = (
        await served.admin.post("/api/v1/flows/hello/runs?wait=10", json={"inputs": {"name": "Ada"}})
    ).json()
    stranger = await served.user("eve")
    assert (await stranger.get("/api/v1/flows")).json()["items"] == []
    assert (await stranger.get("/api/v1/flows/hello")).status_code == 404
    assert (await stranger.get("/api/v1/runs")).json()["items"] == []
    for path in ("", "/inputs", "/result", "/graph", "/children", "/locks"):
        assert (await stranger.get(f"/{run['fid']}{path}")).status_code == 404
    assert (await stranger.post(f"/{run['fid']}/cancel", json={})).status_code == 404
    unknown = await served.client()
    assert (await unknown.get(f"/{run['fid']}")).status_code == 401


async def test_who_launches_a_run_sees_it_and_others_by_grant(served: Hosted) -> None:
    ann = await served.user("ann", "launch flow:hello")
    bob = await served.user("bob", "launch flow:hello")
    viewer = await served.user("vic", "view events:hello")
    body = {"inputs": {"name": "Ada"}}
    run = (await ann.post("/api/v1/flows/hello/runs?wait=10", json=body)).json()
    assert (await ann.get(f"/{run['fid']}/result")).json()["result"] == "hello Ada"
    assert (await bob.get(f"/{run['fid']}")).status_code == 404
    assert (await viewer.get(f"/{run['fid']}")).status_code == 200
    assert (await viewer.post(f"/{run['fid']}/cancel", json={})).status_code == 403
    assert (await bob.get("/api/v1/runs")).json()["items"] == []
    assert [each["fid"] for each in (await viewer.get("/api/v1/runs")).json()["items"]] == [run["fid"]]


async def test_a_flow_of_which_nothing_is_recorded_cannot_be_followed_and_is_refused() -> None:
    silent = {**HELLO, "flow": "silent", "settings": {"record": "none"}}
    async with hosted(silent) as served:
        answer = await served.admin.post("/api/v1/flows/silent/runs", json={"inputs": {"name": "Ada"}})
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:penstock:unrecorded-flow"
        assert "record: effects" in answer.json()["remedy"]
