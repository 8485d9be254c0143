"""The runtime's public face: starting, looking, ephemeral runs, revisions, calls of flows."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, seen, until

from penstock import Run, Runtime, node
from penstock.core.errors import (
    PenstockError,
    RunNotFound,
    StoreError,
)
from penstock.core.states import RunState
from penstock.core.store import RunQuery

if TYPE_CHECKING:
    from pathlib import Path

NAP = "{flow: nap, nodes: [{kind: delay, name: a, duration: 1h}]}"
SAY = "{flow: say, inputs: {value: {}}, nodes: [{kind: say, name: a}]}"


@node("say", pure=True)
def say(value: Any) -> Any:
    return value


async def test_a_run_is_on_disk_when_start_returns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as runtime, Runtime(url, recover=False) as other:
        run = await runtime.start(graph(NAP))
        row = await other.get(run.fid).row()
        assert (row.flow, row.source, row.state) == ("nap", "graph", RunState.RUNNING)
        assert row.revision
        assert await other.store.revision(row.revision)


async def test_a_run_may_be_given_its_id(runtime: Runtime) -> None:
    run = await runtime.launch(graph(SAY, say), {"value": 1}, fid="mine")
    assert run.fid == "mine"
    assert await result_of(run) == 1
    with pytest.raises(StoreError, match="there is a run mine already"):
        await runtime.launch(graph(SAY, say), {"value": 1}, fid="mine")
    assert await result_of(runtime.get("mine")) == 1


async def test_ids_sort_by_the_time_they_were_made(runtime: Runtime) -> None:
    flow = graph(SAY, say)
    fids = []
    for number in range(5):
        fids.append((await runtime.start(flow, value=number)).fid)
        await until(functools.partial(_passed, runtime, runtime.clock.now() + 0.001))
    assert fids == sorted(fids)
    assert [row.fid for row in await runtime.runs()] == fids[::-1]


def _passed(runtime: Runtime, time: float) -> bool:
    return runtime.clock.now() > time


async def test_runs_are_listed_by_state_flow_and_page(runtime: Runtime) -> None:
    done = [await runtime.start(graph(SAY, say), value=n) for n in range(3)]
    for run in done:
        await result_of(run)
    nap = await runtime.start(graph(NAP))
    assert [
        row.fid for row in await runtime.runs(RunQuery(states=(RunState.RUNNING, RunState.WAITING)))
    ] == [nap.fid]
    assert {row.flow for row in await runtime.runs(RunQuery(flow="say"))} == {"say"}
    first = await runtime.runs(RunQuery(limit=2))
    rest = await runtime.runs(RunQuery(before=first[-1].fid))
    assert {row.fid for row in (*first, *rest)} == {run.fid for run in (*done, nap)}
    assert len(first) + len(rest) == 4


async def test_a_handle_holds_nothing_and_any_will_do(runtime: Runtime) -> None:
    run = await runtime.start(graph(SAY, say), value=1)
    twin = runtime.get(run.fid)
    assert isinstance(twin, Run)
    assert [await result_of(twin), await result_of(run)] == [1, 1]
    assert run.fid in repr(run)


async def test_many_may_wait_for_one_result_and_leave(runtime: Runtime) -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold() -> str:
        await gate.wait()
        return "held"

    run = await runtime.start(graph("{flow: f, nodes: [{kind: hold, name: a}]}", hold))
    waiting = [asyncio.create_task(result_of(run), name=f"{n}") for n in range(10)]
    await seen(run, "node.started", "a")
    waiting[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*waiting[1:]) == ["held"] * 9


async def test_an_unknown_run_is_told_whatever_is_asked(runtime: Runtime) -> None:
    run = runtime.get("nobody")
    for ask in (
        run.row,
        run.result,
        run.cancel,
        lambda: runtime.retry("nobody"),
        lambda: runtime.resume("nobody"),
    ):
        with pytest.raises(RunNotFound, match="no run has the id `nobody`"):
            await ask()


async def test_a_runtime_that_cannot_open_its_store_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs.db").mkdir()
    runtime = Runtime(f"sqlite:///{tmp_path}/runs.db")
    with pytest.raises(StoreError, match="is a folder"):
        await runtime.__aenter__()


async def test_a_failure_inside_the_block_is_not_hidden_by_closing(tmp_path: Path) -> None:
    async def stumble() -> None:
        async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
            await runtime.start(graph(NAP))
            raise KeyError

    with pytest.raises(KeyError):
        await stumble()


async def test_no_task_outlives_the_runtime(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
        for _ in range(5):
            run = await runtime.start(graph(NAP))
        await seen(run, "node.waiting", "a")
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("url", ["memory:", "sqlite"])
async def test_a_closed_runtime_starts_nothing(url: str, tmp_path: Path) -> None:
    runtime = Runtime(url if url == "memory:" else f"sqlite:///{tmp_path}/runs.db")
    async with runtime:
        await runtime.start(graph(NAP))
    before = asyncio.all_tasks()
    with pytest.raises(PenstockError, match=r"closed|not open"):
        await runtime.start(graph(NAP))
    assert asyncio.all_tasks() == before


async def test_a_closed_runtime_is_not_opened_again() -> None:
    runtime = Runtime("memory:")
    async with runtime:
        pass
    with pytest.raises(PenstockError, match="closed"):
        await runtime.__aenter__()
