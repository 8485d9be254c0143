"""Crews behind the API of a host, and in worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.agents import documents
from tests.agents.model_server import ToolCall
from tests.host.hosted import hosted

from penstock import Runtime
from penstock.executors.subprocess import Pool
from penstock.runtime import flows_of

if TYPE_CHECKING:
    from tests.agents.model_server import Model

pytestmark = pytest.mark.filterwarnings("ignore")


def scripted(model: Model) -> None:
    model.answer("Research", ToolCall("look_up", {"city": "Bergen"}), "the facts")
    model.answer("Write about", "the text")


async def test_a_host_serves_a_crew_like_every_flow(tmp_path: Path, model: Model) -> None:
    scripted(model)
    documents.search(tmp_path, model.url)
    async with hosted(flows=flows_of(tmp_path)) as served:
        [flow] = (await served.admin.get("/api/v1/flows")).json()["items"]
        assert (flow["name"], flow["source"], flow["author"], flow["tags"]) == (
            "search",
            "crew",
            "Ada",
            ["demo"],
        )
        assert flow["input_schema"]["required"] == ["topic"]
        launched = await served.admin.post(
            "/api/v1/flows/search/runs?wait=20", json={"inputs": {"topic": "rain"}}
        )
        assert launched.status_code == 201
        fid = launched.json()["fid"]
        result = await served.admin.get(f"/api/v1/runs/{fid}/result?wait=20")
        assert result.json()["result"] == "the text"
        page = await served.admin.get(f"/api/v1/runs/{fid}/events?type=agent.&limit=100")
        of = [event["of"] for event in page.json()["items"] if event["type"] == "agent.action"]
        assert of == ["crew", "task", "agent", "llm", "tool", "llm", "task", "agent", "llm"]
        refused = await served.admin.post("/api/v1/flows/search/runs", json={"inputs": {"topic": 7}})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/inputs/topic"


@pytest.mark.slow
async def test_a_crew_runs_in_a_worker_as_it_does_here(tmp_path: Path, model: Model) -> None:
    scripted(model)
    path = documents.search(tmp_path, model.url)
    path.write_text(f"settings: {{executor: subprocess}}\n{path.read_text()}")
    pool = Pool(workers=1, environ=["TEST_MODEL_KEY"])
    async with Runtime("memory:", executors={"subprocess": pool}) as runtime:
        [flow] = flows_of(path)
        run = await runtime.start(flow, topic="rain")
        assert await run.result() == "the text"
        events = [event async for event in run.events()]
    assert {event.node for event in events} == {"", "research", "write"}
    assert ("research", "looking up Bergen") in [
        (event.node, event.data["line"]) for event in events if event.type == "node.stdout"
    ]
    assert "sk-of-the-environment-43" not in str(events)
