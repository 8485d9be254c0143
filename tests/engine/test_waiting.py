"""Runs that only wait: how they are told from busy ones, put aside, and brought back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, lines, pass_time, recorded, result_of, seen, story, until

from penstock import (
    Context,
    Control,
    ControlContext,
    Inputs,
    NodeContext,
    Outputs,
    Port,
    Runtime,
    flow,
    node,
    step,
)
from penstock.core.errors import RunTimeout
from penstock.core.states import RunState
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400.0


def resident(runtime: Runtime) -> int:
    """How many runs are in memory."""
    return len([task for task in asyncio.all_tasks() if "penstock:run" in task.get_name()])


async def put_aside(runtime: Runtime, clock: FakeClock) -> None:
    clock.advance(runtime.evict_after)
    await until(lambda: not resident(runtime))


async def test_a_run_that_only_waits_says_so_and_until_when(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.start(graph("{flow: f, nodes: [{kind: time.delay, name: a, duration: 1d}]}"))
    event = await seen(run, "run.waiting")
    assert event.data == {"until": clock.now() + DAY}
    row = await run.row()
    assert (row.state, row.wake_at) == (RunState.WAITING, clock.now() + DAY)


async def test_a_run_that_waits_leaves_memory_and_comes_back(timed: Runtime, clock: FakeClock) -> None:
    text = """
    flow: f
    nodes:
      - {kind: time.delay, name: a, duration: 3d, links: {out: b}}
      - {kind: time.delay, name: b, duration: 100ms}
    """
    run = await timed.start(graph(text), x=1)
    await seen(run, "run.waiting")
    await put_aside(timed, clock)
    waiting = asyncio.create_task(result_of(run), name="waiting")
    clock.advance(3 * DAY)
    await seen(run, "node.waiting", "b")
    clock.advance(1)
    assert await waiting == {"x": 1}
    assert lines(await story(run), "run.") == [
        "run.started",
        "run.waiting",
        "run.resumed",
        "run.completed",
    ]


async def test_a_run_that_wakes_before_it_is_put_aside_goes_on_where_it_is(
    timed: Runtime, clock: FakeClock
) -> None:
    run = await timed.start(graph("{flow: f, nodes: [{kind: time.delay, name: a, duration: 3s}]}"), x=1)
    await seen(run, "run.waiting")
    clock.advance(3)
    assert await result_of(run) == {"x": 1}
    assert data_of(await story(run), "run.resumed") == [{"reason": "timer"}]


async def test_a_short_wait_is_not_worth_an_event(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.start(
        graph("{flow: f, nodes: [{kind: time.delay, name: a, duration: 500ms}]}"), x=1
    )
    await seen(run, "node.waiting", "a")
    clock.advance(0.5)
    await result_of(run)
    assert lines(await story(run), "run.") == ["run.started", "run.completed"]


async def test_a_run_with_open_resources_stays_in_memory(timed: Runtime, clock: FakeClock) -> None:
    @node("opens")
    async def opens(*, ctx: NodeContext) -> int:
        ctx.resources.callback(lambda: None)
        return 1

    text = """
    flow: f
    nodes:
      - {kind: opens, name: a, links: {out: b}}
      - {kind: time.delay, name: b, duration: 1d}
    """
    run = await timed.start(graph(text, opens))
    await seen(run, "run.waiting")
    await pass_time(clock, 60)
    assert resident(timed) == 1
    clock.advance(DAY)
    assert await result_of(run) == 1


@pytest.mark.parametrize("parallel", [2, 3])
async def test_a_busy_node_is_never_cut_off_because_another_one_waits(
    timed: Runtime, clock: FakeClock, parallel: int
) -> None:
    began: list[str] = []
    go = {name: asyncio.Event() for name in ("b", "c")}

    @node("work")
    async def work(value: Any = None, *, label: str) -> str:
        began.append(label)
        await go[label].wait()
        return label

    text = f"""
    flow: f
    settings: {{max_parallel: {parallel}}}
    nodes:
      - {{kind: time.delay, name: a, duration: 1d}}
      - {{kind: work, name: b, label: b}}
      - {{kind: work, name: c, label: c}}
    """
    run = await timed.start(graph(text, work))
    await seen(run, "node.waiting", "a")
    await until(lambda: "b" in began)
    go["b"].set()
    await until(lambda: "c" in began)
    await pass_time(clock, 60)
    await pass_time(clock, 60)
    go["c"].set()
    clock.advance(DAY)
    assert await result_of(run) == [{}, "b", "c"]
    assert began == ["b", "c"]


async def test_a_busy_node_behind_a_finished_child_is_never_cut_off(
    timed: Runtime, clock: FakeClock
) -> None:
    began: list[str] = []
    go = asyncio.Event()

    class Each(Control, kind="each"):
        in_ports = {"in": Port(default=None)}
        out_ports = {"out": Port(call=True), "done": Port()}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            return {"done": await ctx.call("out", 1)}

    @node("quick")
    async def quick(value: Any = None) -> int:
        await asyncio.sleep(0)
        return 1

    @node("work")
    async def work(value: Any = None) -> str:
        began.append("work")
        await go.wait()
        return "worked"

    text = """
    flow: f
    nodes:
      - {kind: time.delay, name: nap, duration: 1d}
      - {kind: each, name: each, links: {out: [x, y], done: work}}
      - {kind: quick, name: x}
      - {kind: quick, name: y}
      - {kind: work, name: work}
    """
    run = await timed.start(graph(text, Each, quick, work))
    await until(lambda: began)
    await pass_time(clock, 60)
    await pass_time(clock, 60)
    go.set()
    clock.advance(DAY)
    assert await result_of(run) == [{}, "worked"]
    assert began == ["work"]


async def test_a_step_beside_a_sleep_is_never_cut_off(timed: Runtime, clock: FakeClock) -> None:
    began: list[str] = []
    go = asyncio.Event()

    @step
    async def work() -> str:
        began.append("work")
        await go.wait()
        return "worked"

    @flow
    async def both(ctx: Context) -> Any:
        return await asyncio.gather(ctx.step(work), ctx.sleep("1d"))

    run = await timed.start(both)
    await until(lambda: began)
    await pass_time(clock, 60)
    await pass_time(clock, 60)
    go.set()
    await seen(run, "node.completed", "work#1")
    clock.advance(DAY)
    assert await result_of(run) == ["worked", None]
    assert began == ["work"]


async def test_cleanup_does_not_run_because_a_run_is_put_aside(timed: Runtime, clock: FakeClock) -> None:
    cleaned: list[float] = []

    @step
    async def clean() -> None:
        cleaned.append(clock.now())

    @flow
    async def tidy(ctx: Context) -> str:
        try:
            await ctx.sleep("1d")
        finally:
            await ctx.step(clean)
        return "tidy"

    run = await timed.start(tidy)
    await seen(run, "run.waiting")
    start = clock.now()
    await put_aside(timed, clock)
    assert cleaned == []
    clock.advance(DAY)
    assert await result_of(run) == "tidy"
    assert cleaned == [start + DAY + timed.evict_after]


async def test_the_deadline_of_a_run_holds_while_it_is_out_of_memory(
    timed: Runtime, clock: FakeClock
) -> None:
    text = "{flow: f, settings: {timeout: 1h}, nodes: [{kind: time.delay, name: a, duration: 1d}]}"
    run = await timed.start(graph(text))
    await seen(run, "run.waiting")
    assert (await run.row()).wake_at == clock.now() + 3600
    await put_aside(timed, clock)
    await pass_time(clock, 3600)
    with pytest.raises(RunTimeout):
        await result_of(run)


async def test_a_wait_that_another_runtime_began_is_waited_for_no_longer(
    tmp_path: Path, clock: FakeClock
) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    nap = graph("{flow: f, nodes: [{kind: time.delay, name: a, duration: 3d}]}")
    async with Runtime(url, clock=clock) as first:
        run = await first.start(nap, x=1)
        await seen(run, "run.waiting")
    clock.advance(2 * DAY)
    async with Runtime(url, clock=clock) as second:
        assert resident(second) == 0, "a run whose time has not come is not even read"
        clock.advance(DAY - 1)
        assert (await second.get(run.fid).row()).state is RunState.WAITING
        clock.advance(1)
        assert await result_of(second.get(run.fid)) == {"x": 1}


async def test_a_retry_backoff_survives_the_process(tmp_path: Path, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    attempts: list[int] = []

    @node("flaky")
    async def flaky(*, ctx: NodeContext) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            raise OSError("not yet")
        return "at last"

    flaky_flow = graph(
        "{flow: f, nodes: [{kind: flaky, name: a, retry: {attempts: 5, delay: 1h}}]}", flaky
    )
    async with Runtime(url, clock=clock) as first:
        run = await first.start(flaky_flow)
        await seen(run, "run.waiting")
    clock.advance(1800)
    async with Runtime(url, clock=clock, scheme=scheme_with(flaky)) as second:
        again = second.get(run.fid)
        clock.advance(1799)
        assert attempts == [1]
        clock.advance(1)
        await seen(again, "node.retrying", "a", after=(await again.row()).seq)
        assert attempts == [1, 2]
        await pass_time(clock, 7200)
        assert await result_of(again) == "at last"
    assert attempts == [1, 2, 3]


async def test_many_waiting_runs_are_put_aside_at_once(clock: FakeClock) -> None:
    from penstock.engine.recovery import RESIDENT

    nap = graph("{flow: f, nodes: [{kind: time.delay, name: a, duration: 1d}]}")
    async with Runtime("memory:", clock=clock) as runtime:
        runs = [await runtime.start(nap, n=n) for n in range(RESIDENT + 50)]
        for run in runs[-50:]:
            await seen(run, "run.waiting")
        await until(lambda: resident(runtime) <= RESIDENT)
        await pass_time(clock, DAY)
        results = await asyncio.gather(*(result_of(run) for run in runs))
        assert results == [{"n": n} for n in range(len(runs))]
        assert await recorded(runtime, runs[-1])


async def test_what_a_node_said_before_its_wait_is_not_said_again(
    timed: Runtime, clock: FakeClock
) -> None:
    @node("wordy")
    async def wordy(*, ctx: NodeContext) -> str:
        ctx.message("before")
        await ctx.sleep(DAY)
        ctx.message("after")
        return "said"

    run = await timed.start(graph("{flow: f, nodes: [{kind: wordy, name: a}]}", wordy))
    await seen(run, "run.waiting")
    await put_aside(timed, clock)
    clock.advance(DAY)
    assert await result_of(run) == "said"
    assert [note["message"] for note in data_of(await story(run), "node.message", "a")] == [
        "before",
        "after",
    ]


async def test_what_a_python_flow_said_is_not_said_again(timed: Runtime, clock: FakeClock) -> None:
    @flow
    async def wordy(ctx: Context) -> str:
        ctx.message("before")
        await ctx.sleep("1d")
        ctx.message("after")
        return "said"

    run = await timed.start(wordy)
    await seen(run, "run.waiting")
    await put_aside(timed, clock)
    clock.advance(DAY)
    assert await result_of(run) == "said"
    assert [note["message"] for note in data_of(await story(run), "node.message")] == ["before", "after"]


async def test_a_flow_that_swallows_its_eviction_goes_on_when_its_time_has_come(
    timed: Runtime, clock: FakeClock
) -> None:
    @flow
    async def stubborn(ctx: Context) -> str:
        try:
            await ctx.sleep("1d")
        except asyncio.CancelledError:
            return "gave up"
        return "waited"

    run = await timed.start(stubborn)
    await seen(run, "run.waiting")
    await put_aside(timed, clock)
    assert (await run.row()).state is RunState.WAITING
    clock.advance(DAY)
    assert await result_of(run) == "waited"
