"""Crews: real CrewAI, against a model that answers by a script."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.agents import documents
from tests.agents.model_server import Held, Model, Refusal, ToolCall

from penstock import Attachment, Event, Run, Runtime, load_flow
from penstock.core.errors import RunCancelled, RunFailed, RunTimeout
from penstock.testing.clock import FakeClock

pytestmark = pytest.mark.filterwarnings("ignore")
"""What the framework warns itself of is not about us."""

CREWS = Path(__file__).with_name("crews.py")


def crew(name: str) -> Any:
    return load_flow(f"{CREWS}:{name}")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def events_of(run: Run) -> list[Event]:
    return [event async for event in run.events()]


def told(events: list[Event]) -> list[str]:
    """The events of agents in short: `task research ▸`, `tool look_up ◂`."""
    marks = {"agent.action": "▸", "agent.result": "◂", "agent.final": "■"}
    found = []
    for event in events:
        if event.type in marks:
            of = event.data["of"]
            name = event.data.get({"agent": "agent", "llm": "task"}.get(of, of), "")
            found.append(f"{of} {name} {marks[event.type]}")
    return found


async def test_what_a_crew_does_becomes_events_of_its_run_in_order(
    runtime: Runtime, model: Model
) -> None:
    model.answer("Research", ToolCall("look_up", {"city": "Bergen"}), "the facts")
    model.answer("Write about", "the text")
    run = await runtime.start(crew("search"), topic="rain")
    assert await run.result() == "the text"
    events = await events_of(run)
    assert told(events) == [
        "crew crew ▸",
        "task research ▸",
        "agent Researcher ▸",
        "llm research ▸",
        "llm research ◂",
        "tool look_up ▸",
        "tool look_up ◂",
        "llm research ▸",
        "llm research ◂",
        "agent Researcher ◂",
        "task research ◂",
        "task write ▸",
        "agent Writer ▸",
        "llm write ▸",
        "llm write ◂",
        "agent Writer ◂",
        "task write ◂",
        "crew crew ■",
    ]
    assert {event.node for event in events} == {"", "research", "write"}
    [called] = [event for event in events if event.data.get("tool") and event.type == "agent.action"]
    assert called.data["arguments"] == {"city": "Bergen"}
    assert called.data["agent"] == "Researcher"
    assert called.data["task"] == called.node == "research"
    answers = [
        event.data for event in events if event.data.get("of") == "llm" and "output" in event.data
    ]
    assert answers[-1]["output"] == "the text"
    assert answers[-1]["tokens"] == {"prompt": 11, "completion": 7, "total": 18}
    [final] = [event.data for event in events if event.type == "agent.final"]
    assert final["output"] == "the text"
    assert final["tokens"]["total"] > 0


async def test_each_task_is_a_step_with_its_answer(runtime: Runtime, model: Model) -> None:
    model.answer("Research", "the facts")
    model.answer("Write about", "the text")
    run = await runtime.start(crew("search"), topic="rain")
    events = await events_of(run)
    steps = {event.node: event.data["outputs"] for event in events if event.type == "node.completed"}
    assert steps == {
        "research": {"text": "the facts", "agent": "Researcher"},
        "write": {"text": "the text", "agent": "Writer"},
    }
    assert "the facts" in model.asked[-1], "the second task knows the answer of the first"


async def test_what_tools_print_belongs_to_the_task(
    runtime: Runtime, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer("Research", ToolCall("look_up", {"city": "Bergen"}), "the facts")
    model.answer("Write about", "the text")
    run = await runtime.start(crew("search"), topic="rain")
    lines = [event for event in await events_of(run) if event.type == "node.stdout"]
    assert [(event.node, event.data["line"]) for event in lines] == [("research", "looking up Bergen")]
    assert "looking up" not in capsys.readouterr().out


async def test_keys_of_models_are_in_no_event(runtime: Runtime, model: Model) -> None:
    model.answer("Research", "they told me sk-in-the-code-42")
    model.answer("Write about", "the text")
    run = await runtime.start(crew("search"), topic="rain")
    events = await events_of(run)
    assert model.keys[0] == "sk-in-the-code-42"
    assert "sk-in-the-code-42" not in str(events)
    assert "they told me •••" in str(events)


async def test_an_answer_that_is_data_is_the_result(runtime: Runtime, model: Model) -> None:
    model.answer("Judge", '{"good": true, "reason": "it is short"}')
    flow = crew("judged")
    assert flow.output_schema["properties"]["good"] == {"title": "Good", "type": "boolean"}
    run = await runtime.start(flow, work="this")
    assert await run.result() == {"good": True, "reason": "it is short"}


async def test_a_file_of_a_task_is_among_those_of_its_run(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model.answer("Report on", "all is well")
    async with Runtime("memory:", files=tmp_path / "files") as runtime:
        run = await runtime.start(crew("writing"), topic="rain")
        assert await run.result() == "all is well"
        report = tmp_path / "files" / run.fid / "out" / "rain" / "report.md"
        assert report.read_text() == "all is well"
        outside = await runtime.start(crew("writing"), topic="../../..")
        with pytest.raises(RunFailed):
            await outside.result()
    assert names_in(tmp_path) == ["files"]


async def test_a_file_that_a_crew_is_given_is_named_by_its_path(
    tmp_path: Path, runtime: Runtime, model: Model
) -> None:
    given = tmp_path / "given.txt"
    given.write_text("what is in it")
    model.answer("Research /", "the facts")
    model.answer("Write about /", "the text")
    document = documents.search(tmp_path, model.url)
    document.write_text(f"inputs: {{topic: {{type: string, format: file}}}}\n{document.read_text()}")
    run = await runtime.start(load_flow(document), topic=Attachment(given))
    assert await run.result() == "the text"
    assert "in/given.txt" in model.asked[0]


async def test_tasks_beside_each_other_are_steps_of_their_own(runtime: Runtime, model: Model) -> None:
    first, second = Held("one is done"), Held("two is done")
    model.answer("Do both", "both are done")
    model.answer("Do one", first)
    model.answer("Do two", second)
    run = await runtime.start(crew("beside"))
    await asyncio.to_thread(model.wait_asked, "Do one")
    await asyncio.to_thread(model.wait_asked, "Do two")
    second.gate.set()
    first.gate.set()
    assert await run.result() == "both are done"
    calls = [event for event in await events_of(run) if event.data.get("of") == "llm"]
    assert all(event.node == event.data["task"] for event in calls)


async def test_a_manager_hands_out_the_tasks(runtime: Runtime, model: Model) -> None:
    model.answer("Do the job", "the job is done")
    assert await (await runtime.start(crew("managed"))).result() == "the job is done"


async def test_another_flow_may_call_a_crew(runtime: Runtime, model: Model, tmp_path: Path) -> None:
    model.answer("Research", "the facts")
    model.answer("Write about", "the text")
    documents.search(tmp_path, model.url)
    calling = tmp_path / "calling.yaml"
    calling.write_text(
        "flow: calling\n"
        "inputs: {topic: {type: string}}\n"
        "nodes: [{kind: call, name: ask, flow: search.yaml}]\n"
    )
    run = await runtime.start(load_flow(calling), topic="rain")
    assert await run.result() == "the text"
    steps = [event.node for event in await events_of(run) if event.type == "node.completed"]
    assert steps == ["ask[0]/research", "ask[0]/write", "ask"]


async def test_models_may_stream(runtime: Runtime, model: Model, tmp_path: Path) -> None:
    model.answer("Research", "fact after fact")
    model.answer("Write about", "word by word")
    flow = load_flow(documents.search(tmp_path, model.url, more="stream: true"))
    run = await runtime.start(flow, topic="rain")
    assert await run.result() == "word by word"


async def test_runs_beside_each_other_do_not_mix(runtime: Runtime, model: Model) -> None:
    answers = {name: Held(f"facts of {name}") for name in ("rain", "snow")}
    for name, held in answers.items():
        model.answer(f"Research {name}", held)
        model.answer(f"Write about {name}", f"text of {name}")
    flow = crew("search")
    runs = {name: await runtime.start(flow, topic=name) for name in answers}
    for name in answers:
        await asyncio.to_thread(model.wait_asked, f"Research {name}")
    for held in answers.values():
        held.gate.set()
    for name, run in runs.items():
        assert await run.result() == f"text of {name}"
        events = await events_of(run)
        other = next(each for each in answers if each != name)
        assert other not in str(events)
        assert told(events).count("task research ▸") == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Refusal(400, "the prompt is refused"), "the prompt is refused"),
        (Refusal(401, "the key is wrong"), "the key is wrong"),
    ],
)
async def test_a_model_that_refuses_fails_the_run_with_its_words(
    runtime: Runtime, model: Model, answer: Refusal, message: str
) -> None:
    model.answer("Research", answer)
    run = await runtime.start(crew("search"), topic="rain")
    with pytest.raises(RunFailed, match=message):
        await run.result()
    events = await events_of(run)
    assert any(message in str(event.data) for event in events if event.type == "agent.result")
    [failed] = [event for event in events if event.type == "node.failed"]
    assert failed.node == "research"


@pytest.mark.parametrize("status", [429, 500])
async def test_a_model_that_is_busy_is_asked_again(
    runtime: Runtime, model: Model, tmp_path: Path, status: int
) -> None:
    model.answer("Research", Refusal(status, "busy"), "the facts")
    model.answer("Write about", "the text")
    flow = load_flow(documents.search(tmp_path, model.url))
    run = await runtime.start(flow, topic="rain")
    assert await run.result() == "the text"
    assert model.times_asked("Research") == 2


async def test_a_model_that_is_too_slow_ends_with_the_limit_of_the_flow(
    model: Model, tmp_path: Path
) -> None:
    held, clock = Held("too late"), FakeClock()
    model.answer("Research", held)
    path = documents.search(tmp_path, model.url)
    path.write_text(f"settings: {{timeout: 5m}}\n{path.read_text()}")
    async with Runtime("memory:", clock=clock) as runtime:
        run = await runtime.start(load_flow(path), topic="rain")
        await asyncio.to_thread(model.wait_asked, "Research")
        clock.advance(301)
        with pytest.raises(RunTimeout, match="longer than 5m"):
            await run.result()
    held.gate.set()


async def test_a_tool_that_raises_is_told_with_its_words(runtime: Runtime, model: Model) -> None:
    model.answer("Break it", ToolCall("broken", {"city": "Bergen"}), "it is broken")
    run = await runtime.start(crew("breaking"))
    assert await run.result() == "it is broken"
    wrong = [event.data for event in await events_of(run) if event.data.get("of") == "tool"]
    assert "nothing is known of Bergen" in str(wrong[1])


async def test_a_tool_that_fails_is_told_and_the_agent_goes_on(runtime: Runtime, model: Model) -> None:
    model.answer("Research", ToolCall("look_up", {"town": "Bergen"}), "no facts")
    model.answer("Write about", "the text")
    run = await runtime.start(crew("search"), topic="rain")
    assert await run.result() == "the text"
    wrong = [event.data for event in await events_of(run) if event.data.get("of") == "tool"]
    assert any("error" in data for data in wrong)


async def test_a_cancelled_crew_stops_at_its_next_event(runtime: Runtime, model: Model) -> None:
    held = Held("the facts")
    model.answer("Research", held)
    model.answer("Write about", "the text")
    run = await runtime.start(crew("search"), topic="rain")
    await asyncio.to_thread(model.wait_asked, "Research")
    await run.cancel("enough")
    with pytest.raises(RunCancelled, match="enough"):
        await run.result()
    held.gate.set()
    seen = await events_of(run)
    assert seen[-1].type == "run.cancelled"
    assert model.times_asked("Write about") == 0


async def test_a_run_that_goes_on_takes_the_tasks_that_are_done_from_its_journal(
    url: str, model: Model
) -> None:
    held = Held("the text")
    model.answer("Research", "the facts")
    model.answer("Write about", held, "the text, again")
    flow = crew("search")
    async with Runtime(url) as runtime:
        run = await runtime.start(flow, topic="rain")
        await asyncio.to_thread(model.wait_asked, "Write about")
    held.gate.set()
    async with Runtime(url) as runtime:
        again = runtime.get(run.fid)
        assert await again.result() == "the text, again"
        events = await events_of(again)
    assert model.times_asked("Research") == 1
    assert "the facts" in model.asked[-1]
    assert told(events).count("crew crew ▸") == 1, "what was told is not told again"


async def test_a_retry_begins_with_the_task_that_failed(runtime: Runtime, model: Model) -> None:
    model.answer("Research", "the facts")
    model.answer("Write about", Refusal(400, "no"), "the text")
    run = await runtime.start(crew("search"), topic="rain")
    with pytest.raises(RunFailed):
        await run.result()
    again = await runtime.retry(run.fid)
    assert await again.result() == "the text"
    assert model.times_asked("Research") == 1


async def test_a_person_looks_over_an_answer_by_a_lock(url: str, model: Model) -> None:
    model.answer("should be shorter", "short")
    model.answer("Draft it", "far too long")
    model.answer("Print it", "printed")
    flow = crew("reviewed")
    async with Runtime(url, evict_after=0.0) as runtime:
        run = await runtime.start(flow)
        lock = await _open_lock(runtime, run.fid)
        await _waits(run, 1)
        assert lock.data == {"answer": "far too long", "agent": "Writer"}
        await _released(runtime, run.fid, {"feedback": "should be shorter"})
        found = await _open_lock(runtime, run.fid, but=lock.lid)
        await _waits(run, 2)
        assert found.data["answer"] == "short"
        await _released(runtime, run.fid, {})
        assert await run.result() == "printed"
    assert model.times_asked("Draft it") == 2, "nothing was asked twice"
    assert "short" in model.asked[-1]


async def _open_lock(runtime: Runtime, fid: str, *, but: str = "") -> Any:
    """The lock of a run that is open, once there is one; another than `but`."""
    async for event in runtime.get(fid).events():
        if event.type == "lock.opened":
            for lock in await runtime.locks(fid):
                if lock.open and lock.lid != but:
                    return lock
    raise AssertionError("the run opened no lock")


async def _waits(run: Run, times: int) -> None:
    """Return when the run has begun to wait so often: then nothing of it is in memory."""
    async for event in run.events():
        times -= event.type == "run.waiting"
        if not times:
            return


async def _released(runtime: Runtime, fid: str, value: Any) -> None:
    lock = await _open_lock(runtime, fid)
    decision = await runtime.submit(fid, lock.lid, value)
    assert decision.outcome == "released"
