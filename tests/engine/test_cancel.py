"""Cancellation: prompt, complete, and told exactly once."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import data_of, lines, recorded, result_of, seen, story, until

from penstock import Control, ControlContext, Emit, Inputs, NodeContext, Outputs, Port, Runtime, node
from penstock.core.errors import RunCancelled, RunNotFound
from penstock.core.states import RunState
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock
from penstock.testing.faults import FaultyStore

NAP = """
flow: nap
nodes: [{kind: time.delay, name: nap, duration: 10m}]
"""


def engine_objects() -> list[object]:
    """Whatever of any run is in memory."""
    from penstock.engine.execution import Execution
    from penstock.engine.process import Process

    gc.collect()
    return [item for item in gc.get_objects() if isinstance(item, Execution | Process)]


def tasks_of_runs() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if "penstock:run" in task.get_name()]


async def test_a_ten_minute_delay_ends_within_100_ms_and_says_so_once(runtime: Runtime) -> None:
    run = await runtime.start(graph(NAP))
    await seen(run, "node.waiting", "nap")
    began = time.perf_counter()
    await run.cancel("enough")
    assert time.perf_counter() - began < 0.1
    events = await recorded(runtime, run)
    assert [event.type for event in events if event.terminal] == ["run.cancelled"]
    assert events[-1].data["reason"] == "enough"
    assert (await run.row()).state is RunState.CANCELLED
    assert tasks_of_runs() == []
    with pytest.raises(RunCancelled, match="enough"):
        await result_of(run)


async def test_a_cancelled_run_leaves_nothing_in_memory(runtime: Runtime) -> None:
    before = engine_objects()  # another test's thread may still hold one of its own
    run = await runtime.start(graph(NAP))
    await seen(run, "node.waiting", "nap")
    await run.cancel()
    known = {id(item) for item in before}
    # A look that was due whether it waits may hold it for some milliseconds.
    await until(lambda: all(id(item) in known for item in engine_objects()))


async def test_cancelling_again_changes_nothing(runtime: Runtime) -> None:
    run = await runtime.start(graph(NAP))
    await asyncio.gather(run.cancel("one"), run.cancel("two"), run.cancel("three"))
    await run.cancel("four")
    assert data_of(await story(run), "run.cancelled")[0]["reason"] == "one"


async def test_an_ended_run_stays_as_it_is(runtime: Runtime) -> None:
    run = await runtime.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}", _nop))
    assert await result_of(run) == {}
    await run.cancel()
    assert (await run.row()).state is RunState.COMPLETED


async def test_cancelling_an_unknown_run_says_that_it_is_unknown(runtime: Runtime) -> None:
    with pytest.raises(RunNotFound, match="no run has the id `nobody`"):
        await runtime.cancel("nobody")


@node("nop")
def _nop(value: Any = None) -> Any:
    return value or {}


async def test_a_cancel_during_the_last_commit_leaves_one_terminal_event() -> None:
    release = asyncio.Event()
    store = FaultyStore(MemoryStore(), hold={2: release})
    async with Runtime(store) as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}", _nop))
        await until(lambda: store.commits == 2)
        cancelling = asyncio.create_task(run.cancel("late"), name="cancelling")
        await asyncio.sleep(0)
        release.set()
        await cancelling
        events = await recorded(runtime, run)
        assert [event.type for event in events if event.terminal] == ["run.completed"]


async def test_a_second_cancel_while_the_first_is_written_loses_nothing() -> None:
    release = asyncio.Event()
    store = FaultyStore(MemoryStore(), hold={3: release})
    async with Runtime(store) as runtime:
        run = await runtime.start(graph(NAP))
        await seen(run, "node.waiting", "nap")
        assert store.commits == 2
        cancels = [asyncio.create_task(run.cancel(str(n)), name=f"cancel {n}") for n in range(2)]
        await until(lambda: store.commits == 3)
        cancels.append(asyncio.create_task(run.cancel("2"), name="cancel 2"))
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*cancels)
        assert (await run.row()).state is RunState.CANCELLED
        events = await recorded(runtime, run)
        assert [event.type for event in events if event.terminal] == ["run.cancelled"]


async def test_cancelling_one_run_does_not_touch_others_that_wait_for_the_same_commit() -> None:
    @node("work")
    async def work(value: Any = None) -> str:
        return "done"

    flow = graph(
        "{flow: f, nodes: [{kind: work, name: a, links: {out: b}}, {kind: work, name: b}]}", work
    )
    release = asyncio.Event()
    store = FaultyStore(MemoryStore(), hold={2: release})
    async with Runtime(store) as runtime:
        first, second = await asyncio.gather(runtime.start(flow), runtime.start(flow))
        await until(lambda: store.commits == 2)
        cancelling = asyncio.create_task(first.cancel(), name="cancelling")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        release.set()
        await cancelling
        assert await result_of(second) == "done"
        with pytest.raises(RunCancelled):
            await result_of(first)


async def test_a_cancel_that_meets_an_eviction_wins(clock: FakeClock) -> None:
    async with Runtime("memory:", clock=clock, evict_after=5) as runtime:
        run = await runtime.start(graph(NAP))
        await seen(run, "run.waiting")
        clock.advance(5)
        await run.cancel("now")
        assert (await run.row()).state is RunState.CANCELLED


async def test_a_cancelled_run_that_was_put_aside_ends(clock: FakeClock) -> None:
    async with Runtime("memory:", clock=clock, evict_after=5) as runtime:
        run = await runtime.start(graph(NAP))
        await seen(run, "run.waiting")
        clock.advance(5)
        await until(lambda: not tasks_of_runs())
        await run.cancel("now")
        events = await story(run)
        assert events[-1].type == "run.cancelled"
        clock.advance(600)
        await asyncio.sleep(0)
        assert await story(run) == events


async def test_children_are_cancelled_deepest_first(runtime: Runtime) -> None:
    order: list[str] = []

    class Nest(Control, kind="nest"):
        in_ports = {"in": Port(default=None)}
        out_ports = {"out": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            try:
                await ctx.call("out", inputs["in"])
            finally:
                order.append(ctx.node)
            return None

    text = """
    flow: f
    nodes:
      - {kind: nest, name: outer, links: {out: middle}}
      - {kind: nest, name: middle, links: {out: inner}}
      - {kind: nest, name: inner, links: {out: nap}}
      - {kind: time.delay, name: nap, duration: 10m}
    """
    run = await runtime.start(graph(text, Nest))
    await seen(run, "node.waiting", "outer[0]/middle[0]/inner[0]/nap")
    await run.cancel()
    assert order == ["outer[0]/middle[0]/inner", "outer[0]/middle", "outer"]


async def test_resources_are_released_in_reverse_when_a_run_is_cancelled(runtime: Runtime) -> None:
    released: list[str] = []

    @node("opens")
    async def opens(value: Any = None, *, label: str, ctx: NodeContext) -> str:
        ctx.resources.callback(released.append, label)
        return label

    text = """
    flow: f
    nodes:
      - {kind: opens, name: a, label: first, links: {out: b}}
      - {kind: opens, name: b, label: second, links: {out: nap}}
      - {kind: time.delay, name: nap, duration: 10m}
    """
    run = await runtime.start(graph(text, opens))
    await seen(run, "node.waiting", "nap")
    await run.cancel()
    assert released == ["second", "first"]


async def test_a_cancelled_fan_out_cancels_every_branch(runtime: Runtime) -> None:
    alive: set[int] = set()

    class Burst(Control, kind="burst"):
        in_ports = {}
        out_ports = {"out": Port(int, many=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            return {"out": Emit(range(50))}

    @node("hold")
    async def hold(value: int) -> None:
        alive.add(value)
        try:
            await asyncio.sleep(600)
        finally:
            alive.discard(value)

    text = "{flow: f, nodes: [{kind: burst, name: a, links: {out: b}}, {kind: hold, name: b}]}"
    run = await runtime.start(graph(text, Burst, hold))
    await until(lambda: len(alive) == 50)
    await run.cancel()
    assert not alive
    assert lines(await story(run), "run.") == ["run.started", "run.cancelled"]
