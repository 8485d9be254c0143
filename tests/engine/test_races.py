"""Whatever happens to a run at whatever moment: it ends once, and nothing is left of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import pass_time, recorded, until

from penstock import Context, Control, ControlContext, Inputs, Outputs, Port, Runtime, node
from penstock.core.errors import RunCancelled, RunError, RunFailed, RunTimeout
from penstock.core.record import RunRecord
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.core.events import Event
    from penstock.engine.run import Run

MOMENTS = range(60)
"""How many turns of the loop pass before it happens."""

BUSY = """
flow: busy
settings: {timeout: 1h, max_parallel: 3}
nodes:
  - {kind: work, name: a, links: {out: [b, c]}}
  - {kind: work, name: b, retry: {attempts: 3, delay: 10s}, links: {out: each}}
  - {kind: work, name: c, timeout: 20s, links: {out: nap}}
  - {kind: time.delay, name: nap, duration: 30s, links: {out: "all.in[0]"}}
  - {kind: each, name: each, links: {out: d, done: "all.in[1]"}}
  - {kind: work, name: d, links: {out: nap-inside}}
  - {kind: time.delay, name: nap-inside, duration: 2s}
  - {kind: merge, name: all}
"""


class Each(Control, kind="each"):
    """Three calls at a time."""

    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True), "done": Port()}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(ctx.call("out", n, key=n), name=f"call {n}") for n in range(3)]
        return {"done": [call.result() for call in calls]}


@node("work")
async def work(value: Any = None, *, ctx: Context) -> Any:
    await asyncio.sleep(0)
    if ctx.node == "b" and ctx.attempt == 1:
        raise OSError("once")
    ctx.message("done")
    return value


def busy() -> Any:
    return graph(BUSY, Each, work)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def check(events: list[Event], *ends: str) -> None:
    """One end, the last event; dense seqs; a stream that the record can be folded from."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events if event.terminal] == [events[-1].type]
    assert events[-1].type in ends
    assert RunRecord.fold(events).state.terminal


async def ended(run: Run) -> type[RunError] | None:
    try:
        async with asyncio.timeout(5):
            await run.result()
    except RunError as error:
        return type(error)
    return None


async def to_the_end(clock: FakeClock, runtime: Runtime, run: Run) -> None:
    waiting = asyncio.create_task(ended(run), name="waiting")
    for _ in range(60):
        if waiting.done():
            break
        await pass_time(clock, 2)
    assert await waiting is None


async def test_a_run_can_be_cancelled_at_any_moment() -> None:
    clock = FakeClock()
    flow = busy()
    async with Runtime("memory:", clock=clock) as runtime:
        for moment in MOMENTS:
            run = await runtime.start(flow)
            await turns(moment % 30)
            if moment >= 30:
                await pass_time(clock, moment - 30)
            done = (await run.row()).state.terminal
            async with asyncio.timeout(5):
                await run.cancel("now")
            assert await ended(run) is (None if done else RunCancelled), moment
            check(await recorded(runtime, run), "run.cancelled", "run.completed")
            assert not runtime._executions


async def test_a_run_can_be_cancelled_again_and_again_at_any_moment() -> None:
    clock = FakeClock()
    flow = busy()
    async with Runtime("memory:", clock=clock) as runtime:
        for moment in MOMENTS:
            run = await runtime.start(flow)
            await turns(moment // 4)
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                for number in range(4):
                    group.create_task(run.cancel(str(number)), name=f"cancel {number}")
                    await turns(moment % 4)
            assert await ended(run) is RunCancelled
            check(await recorded(runtime, run), "run.cancelled")


@pytest.mark.parametrize("pace", [0.5, 3, 20, 61])
async def test_time_may_pass_at_any_pace(pace: float) -> None:
    clock = FakeClock()
    async with Runtime("memory:", clock=clock) as runtime:
        run = await runtime.start(busy())
        waiting = asyncio.create_task(ended(run), name="waiting")
        for _ in range(200):
            if waiting.done():
                break
            await pass_time(clock, pace)
        assert await waiting is None
        check(await recorded(runtime, run), "run.completed")


async def test_a_run_s_limit_may_meet_any_moment() -> None:
    clock = FakeClock()
    flow = busy()
    async with Runtime("memory:", clock=clock) as runtime:
        for moment in MOMENTS:
            run = await runtime.start(flow)
            await turns(moment % 30)
            if moment >= 30:
                await pass_time(clock, (moment - 30) / 2)
            clock.advance(3600)
            await turns(moment % 3)
            await pass_time(clock, 0)
            assert await ended(run) in (RunTimeout, RunFailed, None), moment
            check(await recorded(runtime, run), "run.failed", "run.completed")
            await until(lambda: not runtime._executions)


async def test_a_runtime_may_close_at_any_moment_and_another_one_goes_on(tmp_path: Path) -> None:
    for moment in MOMENTS[::2]:
        clock = FakeClock()
        url = f"sqlite:///{tmp_path}/{moment}.db"
        async with Runtime(url, clock=clock) as first:
            run = await first.start(busy())
            await turns(moment % 30)
            if moment >= 30:
                await pass_time(clock, moment - 29)
        async with Runtime(url, clock=clock, scheme=scheme_with(Each, work)) as second:
            again = second.get(run.fid)
            await to_the_end(clock, second, again)
            events = await recorded(second, again)
            check(events, "run.completed")
            done = [event.node for event in events if event.type == "node.completed"]
            assert len(done) == len(set(done)), "what completed did not run again"
            skipped = [event.node for event in events if event.type == "node.skipped"]
            assert len(skipped) == len(set(skipped))


async def test_a_runtime_may_close_while_runs_start(tmp_path: Path) -> None:
    flow = busy()
    clock = FakeClock()
    url = f"sqlite:///{tmp_path}/runs.db"
    for moment in range(10):
        async with Runtime(url, clock=clock) as runtime:
            starts = [asyncio.create_task(runtime.start(flow), name=f"start {n}") for n in range(5)]
            await turns(moment)
        async with asyncio.timeout(5):
            await asyncio.gather(*starts, return_exceptions=True)
        fids = {start.result().fid for start in starts if start.exception() is None}
        async with Runtime(url, clock=clock, recover=False) as other:
            assert fids <= {row.fid for row in await other.runs()}
