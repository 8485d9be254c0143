"""The flows of CrewAI: methods as steps, states, routes, and questions to people."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.agents.model_server import Held, Model
from tests.agents.test_crews import CREWS, _open_lock, _released, _waits, events_of, told

from penstock import Runtime, load_flow
from penstock.core.errors import InputError, RunFailed

pytestmark = pytest.mark.filterwarnings("ignore")


def flow(name: str) -> Any:
    return load_flow(f"{CREWS}:{name}")


def calls() -> list[str]:
    import crews  # type: ignore[import-not-found]

    found: list[str] = crews.CALLS
    return found


@pytest.fixture(autouse=True)
def _no_calls(model: Model) -> None:
    flow("search")
    calls().clear()


def test_a_flow_is_described_by_its_class_and_its_state() -> None:
    plan = flow("Plan")
    assert (plan.name, plan.source, plan.author) == ("Plan", "crew", "Ada")
    assert plan.description == "Plan what to write about a topic."
    assert plan.input_schema["properties"]["topic"] == {
        "default": "rain",
        "title": "Topic",
        "type": "string",
    }
    assert "id" not in plan.input_schema["properties"]


@pytest.mark.parametrize("name", ["Plan", "plan"])
async def test_methods_run_as_steps_and_their_state_is_kept(runtime: Runtime, name: str) -> None:
    run = await runtime.start(flow(name), topic="snow")
    assert await run.result() == {"words": ["left", "snow"], "count": 1}
    events = await events_of(run)
    done = {
        event.node: event.data["outputs"]["result"] for event in events if event.type == "node.completed"
    }
    assert done["gather"] == "facts of snow"
    assert done["decide"] == "short"
    assert set(done) == {"gather", "left", "right", "decide", "write_short"}
    assert told(events)[:3] == ["flow Plan ▸", "method gather ▸", "method gather ◂"]
    assert told(events)[-1] == "flow Plan ■"
    [printed] = [event for event in events if event.type == "node.stdout"]
    assert (printed.node, printed.data["line"]) == ("gather", "gathering snow")


async def test_runs_of_one_flow_object_have_states_of_their_own(runtime: Runtime) -> None:
    one = flow("plan")
    runs = [await runtime.start(one, topic=topic) for topic in ("a", "b", "c")]
    found = [await run.result() for run in runs]
    assert [result["words"] for result in found] == [["a", "left"], ["b", "left"], ["c", "left"]]


async def test_inputs_that_the_state_does_not_take_are_refused(runtime: Runtime) -> None:
    with pytest.raises(InputError, match="count"):
        await runtime.start(flow("Plan"), count="many")


async def test_agents_and_crews_inside_of_methods_tell_what_they_do(
    runtime: Runtime, model: Model
) -> None:
    model.answer("Talk about", "words")
    model.answer("Research", "facts")
    model.answer("Write about", "the text")
    run = await runtime.start(flow("Talking"), topic="rain")
    assert await run.result() == "the text"
    events = await events_of(run)
    assert {event.node for event in events if event.data.get("of") == "task"} == {"crewed"}
    assert "agent Talker ▸" in told(events)
    assert "crew crew ■" in told(events)


async def test_a_run_that_goes_on_takes_methods_and_state_from_its_journal(
    url: str, model: Model
) -> None:
    held = Held("slowly")
    model.answer("Talk slowly", held, "at last")
    async with Runtime(url) as runtime:
        run = await runtime.start(flow("Held"))
        await asyncio.to_thread(model.wait_asked, "Talk slowly")
    held.gate.set()
    async with Runtime(url) as runtime:
        assert await runtime.result(run.fid) == "at last because 7"
    assert calls() == ["first", "second", "second"]


async def test_a_method_whose_result_cannot_be_kept_runs_again(url: str, model: Model) -> None:
    held = Held("slowly")
    model.answer("Talk slowly", held, "at last")
    async with Runtime(url) as runtime:
        run = await runtime.start(flow("Odd"))
        await asyncio.to_thread(model.wait_asked, "Talk slowly")
    held.gate.set()
    async with Runtime(url) as runtime:
        assert await runtime.result(run.fid) == "at last 3 1"
    assert calls() == ["some", "talk", "some", "talk"]


async def test_people_answer_what_a_flow_asks_by_locks(url: str, model: Model) -> None:
    async with Runtime(url, evict_after=0.0) as runtime:
        run = await runtime.start(flow("Asking"))
        asked = await _open_lock(runtime, run.fid)
        assert (asked.name, asked.title) == ("ask", "What now?")
        await _released(runtime, run.fid, {"answer": "go on"})
        draft = await _open_lock(runtime, run.fid, but=asked.lid)
        await _waits(run, 1)
        assert (draft.title, draft.data) == ("Is this right?", "draft: they said go on")
        assert draft.schema["properties"]["outcome"]["enum"] == ["right", "wrong"]
        await _released(runtime, run.fid, {"outcome": "wrong", "feedback": "too short"})
        assert await run.result() == "scrapped: too short"
    assert model.asked == [], "what the person chose needs no model to be understood"


async def test_a_method_that_fails_fails_the_run(runtime: Runtime, model: Model) -> None:
    run = await runtime.start(flow("Talking"), topic="rain")  # the model has no answer to it
    with pytest.raises(RunFailed, match="the script has no answer"):
        await run.result()
    [failed] = [event for event in await events_of(run) if event.type == "node.failed"]
    assert failed.node == "begin"
