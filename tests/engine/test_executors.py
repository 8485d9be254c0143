"""Runs that are executed by something other than the runtime itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from penstock import Context, Runtime, flow
from penstock.core.errors import RunCancelled, RunFailed, SettingsError, StoreError
from penstock.core.events import EventType
from penstock.core.payload import Error, Payload
from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.engine.executor import Kept
from penstock.engine.firing import Failure
from penstock.engine.flow import Flow
from penstock.engine.live import LiveRun
from penstock.testing.clock import FakeClock


class Elsewhere:
    """An executor that does as a test tells it."""

    def __init__(self) -> None:
        self.runs: list[LiveRun] = []
        self.kept: list[Kept] = []
        self.outcome: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self.begun = asyncio.Event()
        self.stopping = asyncio.Event()
        self.closed = 0

    async def execute(
        self, flow: Flow, run: LiveRun, inputs: Mapping[str, Payload], *, kept: Kept
    ) -> Payload:
        self.runs.append(run)
        self.kept.append(kept)
        self.begun.set()
        try:
            return await asyncio.shield(self.outcome)
        except asyncio.CancelledError:
            self.stopping.set()
            raise

    async def close(self) -> None:
        self.closed += 1


@flow(executor="elsewhere")
async def plain(ctx: Context, word: str) -> str:
    raise AssertionError("nobody executes this here")


@pytest.fixture
async def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
async def runtime(elsewhere: Elsewhere, clock: FakeClock):
    async with Runtime("memory:", clock=clock, executors={"elsewhere": elsewhere}) as runtime:
        yield runtime


async def test_what_an_executor_answers_is_the_result(runtime: Runtime, elsewhere: Elsewhere) -> None:
    run = await runtime.start(plain, word="hello")
    elsewhere.outcome.set_result({"said": "hello"})
    assert await run.result() == {"said": "hello"}
    assert (await run.row()).executor == "elsewhere"


async def test_its_failure_is_the_failure_of_the_run(runtime: Runtime, elsewhere: Elsewhere) -> None:
    run = await runtime.start(plain, word="hello")
    elsewhere.outcome.set_exception(Failure(Error(code="far", message="it is far away", node="there")))
    with pytest.raises(RunFailed, match="far away") as failed:
        await run.result()
    assert failed.value.error.code == "far"


async def test_it_is_given_what_is_kept_of_the_run(runtime: Runtime, elsewhere: Elsewhere) -> None:
    run = await runtime.start(plain, word="hello")
    await elsewhere.begun.wait()
    [kept] = elsewhere.kept
    [started] = await kept.history()
    assert started.data["inputs"] == {"word": "hello"}
    assert await kept.values() == {}
    elsewhere.outcome.set_result(None)
    await run.result()


async def test_events_of_an_executor_are_events_of_the_run(
    runtime: Runtime, elsewhere: Elsewhere
) -> None:
    run = await runtime.start(plain, word="hello")
    await elsewhere.begun.wait()
    elsewhere.runs[0].journal.emit(EventType.NODE_COMPLETED, "far", {"outputs": 1, "duration_ms": 0.1})
    elsewhere.outcome.set_result(None)
    await run.result()
    assert [event.node async for event in run.events()] == ["", "far", ""]


async def test_cancelling_a_run_is_the_word_to_stop(runtime: Runtime, elsewhere: Elsewhere) -> None:
    run = await runtime.start(plain, word="hello")
    await elsewhere.begun.wait()
    await run.cancel("enough")
    assert elsewhere.stopping.is_set()
    with pytest.raises(RunCancelled, match="enough"):
        await run.result()


async def test_a_run_that_waits_elsewhere_leaves_memory_and_comes_back_for_its_timer(
    runtime: Runtime, elsewhere: Elsewhere, clock: FakeClock
) -> None:
    run = await runtime.start(plain, word="hello")
    await elsewhere.begun.wait()
    elsewhere.runs[0].wait_elsewhere(clock.now() + 3600, pinned=False)
    clock.advance(10)
    await elsewhere.stopping.wait()
    await runtime.ended(run.fid)
    assert runtime.resident == 0
    row = await run.row()
    assert row.state is RunState.WAITING
    elsewhere.begun.clear()
    clock.advance(3600)
    await elsewhere.begun.wait()
    elsewhere.outcome.set_result("back")
    assert await run.result() == "back"


async def test_a_run_that_holds_something_elsewhere_stays(
    runtime: Runtime, elsewhere: Elsewhere, clock: FakeClock
) -> None:
    run = await runtime.start(plain, word="hello")
    await elsewhere.begun.wait()
    elsewhere.runs[0].wait_elsewhere(None, pinned=True)
    clock.advance(3600)
    assert runtime.is_live(run.fid)
    elsewhere.runs[0].go_on_elsewhere("activity")
    assert not elsewhere.runs[0].waiting
    elsewhere.outcome.set_result(None)
    await run.result()
    types = [str(event.type) async for event in run.events()]
    assert types == ["run.started", "run.waiting", "run.resumed", "run.completed"]


async def test_a_run_in_the_line_is_due_whenever_it_is_looked_for(
    runtime: Runtime, elsewhere: Elsewhere, clock: FakeClock
) -> None:
    run = await runtime.start(plain, word="hello")
    await elsewhere.begun.wait()
    elsewhere.runs[0].wait_in_line()
    await elsewhere.runs[0].journal.durable()
    [row] = await runtime.runs(RunQuery(states=(RunState.WAITING,)))
    assert row.wake_at == clock.now()
    elsewhere.outcome.set_result(None)
    await run.result()


async def test_a_store_that_fails_elsewhere_fails_like_one_here(
    runtime: Runtime, elsewhere: Elsewhere
) -> None:
    run = await runtime.start(plain, word="hello")
    elsewhere.outcome.set_exception(StoreError("no room"))
    with pytest.raises(StoreError, match="no room"):
        await run.result()


async def test_executors_are_closed_with_their_runtime(elsewhere: Elsewhere) -> None:
    async with Runtime("memory:", executors={"elsewhere": elsewhere}):
        assert elsewhere.closed == 0
    assert elsewhere.closed == 1


async def test_an_executor_that_is_not_there_is_named_with_the_nearest(runtime: Runtime) -> None:
    strange = msgspec.structs.replace(plain.settings, executor="elswhere")
    other = flow(plain.function)
    other.settings = strange
    with pytest.raises(SettingsError, match="`elswhere`") as refused:
        await runtime.start(other, word="hello")
    assert "did you mean `elsewhere`?" in refused.value.remedy


async def test_the_nodes_of_a_flow_that_runs_elsewhere_are_not_loaded_here(
    runtime: Runtime, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []

    async def load(self) -> None:
        loaded.append(self)

    document = "flow: one\nsettings: {executor: elsewhere}\nnodes: [{kind: nop, name: a}]\n"
    graph = runtime.loader.read(document, file="one.yaml")
    monkeypatch.setattr(type(graph), "load", load)
    elsewhere.outcome.set_result(None)
    await (await runtime.launch(graph)).result()
    assert loaded == []
