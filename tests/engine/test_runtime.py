"""The runtime's public face: starting, looking, ephemeral runs, revisions, calls of flows."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, result_of, seen, story, until

from penstock import Context, Run, Runtime, flow, load_flow, node, step
from penstock.core.errors import (
    DocumentError,
    PenstockError,
    RunCancelled,
    RunFailed,
    RunNotFound,
    SettingsError,
    StoreError,
)
from penstock.core.states import RunState
from penstock.store.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

NAP = "{flow: nap, nodes: [{kind: delay, name: a, duration: 1h}]}"
SAY = "{flow: say, inputs: {value: {}}, nodes: [{kind: say, name: a}]}"


@node("say", pure=True)
def say(value: Any) -> Any:
    return value


# --- starting and looking -----------------------------------------------------------------


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
    assert [row.fid for row in await runtime.runs(states=[RunState.RUNNING, RunState.WAITING])] == [
        nap.fid
    ]
    assert {row.flow for row in await runtime.runs(flow="say")} == {"say"}
    first = await runtime.runs(limit=2)
    rest = await runtime.runs(before=first[-1].fid)
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


# --- ephemeral runs -----------------------------------------------------------------------

SILENT = "{flow: say, settings: {record: none}, inputs: {value: {}}, nodes: [{kind: %s, name: a}]}"


async def test_an_ephemeral_run_leaves_no_trace(runtime: Runtime) -> None:
    run = await runtime.start(graph(SILENT % "say", say), value=1)
    assert await result_of(run) == 1
    assert await runtime.runs() == []
    assert isinstance(runtime.store, MemoryStore)
    assert not runtime._executions


async def test_the_result_of_an_ephemeral_run_waits_for_whoever_started_it(runtime: Runtime) -> None:
    run = await runtime.start(graph(SILENT % "say", say), value=1)
    await until(lambda: not runtime._executions)
    assert await result_of(run) == 1
    assert await result_of(run) == 1


async def test_an_ephemeral_run_fails_like_any_other(runtime: Runtime) -> None:
    @node("fail")
    async def fail(value: Any) -> None:
        raise OSError("no")

    run = await runtime.start(graph(SILENT % "fail", fail), value=1)
    with pytest.raises(RunFailed, match="failed at `a`: OSError: no"):
        await result_of(run)


async def test_an_ephemeral_run_that_failed_unheard_does_not_cry_out(runtime: Runtime) -> None:
    import gc

    @node("fail")
    async def fail(value: Any) -> None:
        raise OSError("no")

    await runtime.start(graph(SILENT % "fail", fail), value=1)
    await until(lambda: not runtime._executions)
    gc.collect()  # "exception was never retrieved" would be an error here


async def test_an_ephemeral_run_can_be_cancelled(runtime: Runtime) -> None:
    text = NAP.replace("nodes:", "settings: {record: none}, nodes:")
    run = await runtime.start(graph(text))
    waiting = asyncio.create_task(result_of(run), name="waiting")
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await run.cancel("enough")
    with pytest.raises(RunCancelled, match="enough"):
        await waiting


async def test_following_an_ephemeral_run_is_refused_and_does_not_hang(runtime: Runtime) -> None:
    run = await runtime.start(graph(NAP.replace("nodes:", "settings: {record: none}, nodes:")))
    with pytest.raises(RunNotFound):
        await story(run)
    await run.cancel()


# --- revisions ----------------------------------------------------------------------------


async def test_a_run_keeps_the_revision_it_started_with(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold(*, text: str) -> str:
        await gate.wait()
        return text

    url = f"sqlite:///{tmp_path}/runs.db"
    old, new = (
        graph(f"{{flow: f, nodes: [{{kind: hold, name: a, text: {t}}}]}}", hold) for t in ("old", "new")
    )
    async with Runtime(url) as first:
        run = await first.start(old)
        await seen(run, "node.started", "a")
    gate.set()
    async with Runtime(url, scheme=scheme_with(hold)) as second:
        fresh = await second.start(new)
        assert await result_of(second.get(run.fid)) == "old"
        assert await result_of(fresh) == "new"
        assert (await fresh.row()).revision != (await run_row(second, run.fid)).revision


async def run_row(runtime: Runtime, fid: str) -> Any:
    return await runtime.get(fid).row()


async def test_a_python_flow_is_found_again_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_flow_module.py").write_text(
        "from penstock import flow\n"
        "@flow\n"
        "async def nap(ctx, value: int):\n"
        "    await ctx.sleep(5)\n"
        "    return value\n"
    )
    from penstock.testing.clock import FakeClock

    clock = FakeClock()
    url = f"sqlite:///{tmp_path}/runs.db"
    nap = load_flow(f"{tmp_path}/my_flow_module.py")
    async with Runtime(url, clock=clock) as first:
        run = await first.start(nap, value=3)
        await seen(run, "run.waiting")
    clock.advance(10)
    async with Runtime(url, clock=clock) as second:
        assert await result_of(second.get(run.fid)) == 3


async def test_a_flow_that_is_gone_is_told_and_not_lost(tmp_path: Path) -> None:
    from penstock.testing.clock import FakeClock

    file = tmp_path / "gone_flow_module.py"
    file.write_text("from penstock import flow\n@flow\nasync def nap(ctx):\n    await ctx.sleep(5)\n")
    clock = FakeClock()
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url, clock=clock) as first:
        run = await first.start(load_flow(str(file)))
        await seen(run, "run.waiting")
    import sys

    del sys.modules["gone_flow_module"]
    file.unlink()
    async with Runtime(url, clock=clock, recover=False) as second:
        with pytest.raises(SettingsError, match="gone_flow_module"):
            await second.resume(run.fid)
        assert not (await run_row(second, run.fid)).state.terminal


# --- loading and calling ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("nowhere.yaml", DocumentError, "nowhere.yaml"),
        ("no_such_module:flow", SettingsError, "cannot import `no_such_module`"),
        ("json:dumps", SettingsError, "is a function, not a flow"),
        ("json:nothing", SettingsError, "has no `nothing`"),
        ("nowhere.py", SettingsError, "no file"),
    ],
)
def test_a_flow_that_is_not_there_is_told(reference: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_flow(reference)


def test_of_several_flows_one_must_be_named(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "- {kind: flow, flow: one, nodes: [{kind: delay, name: a, duration: 1}]}\n"
        "- {kind: flow, flow: two, nodes: [{kind: delay, name: a, duration: 1}]}\n"
    )
    with pytest.raises(SettingsError, match="several flows: one, two"):
        load_flow(file)
    assert load_flow(file, name="two").name == "two"
    with pytest.raises(SettingsError, match="has no flow `tow`") as raised:
        load_flow(file, name="tow")
    assert "`two`" in raised.value.remedy


async def test_a_flow_calls_a_flow_as_its_child(tmp_path: Path, runtime: Runtime) -> None:
    (tmp_path / "inner.yaml").write_text(
        "flow: inner\n"
        "inputs: {value: {type: integer}}\n"
        "required: [value]\n"
        "nodes: [{kind: say, name: s}]\n"
    )
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes: [{kind: call, name: c, flow: inner.yaml, inputs: {value: 7}}]\n"
    )
    run = await runtime.start(load_flow(tmp_path / "outer.yaml", scheme=scheme_with(say)))
    assert await result_of(run) == 7
    events = await story(run)
    (started,) = data_of(events, "child.started", "c[0]")
    assert (started["flow"], started["inputs"]) == ("inner", {"value": 7})
    assert [row.flow for row in await runtime.runs()] == ["outer"], "a child is no run of its own"


async def test_wrong_inputs_of_a_called_flow_go_to_the_error_port(
    tmp_path: Path, runtime: Runtime
) -> None:
    (tmp_path / "inner.yaml").write_text(
        "flow: inner\n"
        "inputs: {value: {type: integer}}\n"
        "required: [value]\n"
        "nodes: [{kind: say, name: s}]\n"
    )
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\n"
        "nodes:\n"
        "  - {kind: call, name: c, flow: inner.yaml, inputs: {value: x}, links: {error: s}}\n"
        "  - {kind: say, name: s}\n"
    )
    run = await runtime.start(load_flow(tmp_path / "outer.yaml", scheme=scheme_with(say)))
    assert "do not fit flow `inner`" in (await result_of(run)).message


def test_flows_that_call_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(
            f"flow: {name}\nnodes: [{{kind: call, name: c, flow: {other}.yaml}}]\n"
        )
    with pytest.raises(DocumentError, match="in a circle"):
        load_flow(tmp_path / "a.yaml")


async def test_a_called_flow_belongs_to_the_revision(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold(*, text: str) -> str:
        await gate.wait()
        return text

    inner = tmp_path / "inner.yaml"
    inner.write_text("flow: inner\nnodes: [{kind: hold, name: h, text: old}]\n")
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes: [{kind: call, name: c, flow: inner.yaml}]\n"
    )
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as first:
        run = await first.start(load_flow(tmp_path / "outer.yaml", scheme=scheme_with(hold)))
        await seen(run, "node.started", "c[0]/h")
    inner.unlink()
    gate.set()
    async with Runtime(url, scheme=scheme_with(hold)) as second:
        assert await result_of(second.get(run.fid)) == "old"


async def test_a_graph_may_call_a_python_flow_and_is_told_when_that_changed(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @step
    async def held() -> None:
        await gate.wait()

    @flow
    async def job(ctx: Context) -> str:
        await ctx.step(held)
        return "done"

    import sys
    import types

    module = types.ModuleType("jobs_of_a_test")
    module.job = job  # type: ignore[attr-defined]
    sys.modules["jobs_of_a_test"] = module
    try:
        calls = graph("{flow: f, nodes: [{kind: call, name: c, flow: 'jobs_of_a_test:job'}]}")
        gate.set()
        async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
            assert await result_of(await runtime.start(calls)) == "done"
    finally:
        del sys.modules["jobs_of_a_test"]
