"""Who executes a run when several could: one, always."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, pass_time, recorded, result_of, seen, story
from tests.engine.world import CHAIN, World

from penstock import (
    Action,
    Inputs,
    Outputs,
    Port,
    Runtime,
)
from penstock.core.errors import RunBusy
from penstock.testing.clock import FakeClock


async def test_resuming_twice_at_once_runs_once(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    world.gate.set()
    async with Runtime(url, recover=False, scheme=scheme_with(world.effect)) as second:
        await asyncio.gather(*(second.resume(run.fid) for _ in range(5)))
        assert await result_of(second.get(run.fid)) == "c"
    assert world.done == ["a", "b", "c"]


class SlowToLoad(Action, kind="slow"):
    """A kind whose loading takes its time; it only runs when it has been loaded."""

    in_ports = {"in": Port(default=None)}

    async def load(self) -> None:
        self.loaded = False
        for _ in range(20):
            await asyncio.sleep(0)
        self.loaded = True

    async def run(self, inputs: Inputs) -> Outputs:
        assert self.loaded
        return {"out": "loaded"}


SLOW = "{flow: f, nodes: [{kind: slow, name: a, links: {out: b}}, {kind: delay, name: b, duration: 1d}]}"


async def test_resuming_and_cancelling_at_once_leaves_one_end(url: str, clock: FakeClock) -> None:
    async with Runtime(url, clock=clock) as first:
        run = await first.start(graph(SLOW, SlowToLoad))
        await seen(run, "node.waiting", "b")
    async with Runtime(url, clock=clock, recover=False, scheme=scheme_with(SlowToLoad)) as second:
        async with asyncio.timeout(5):
            await asyncio.gather(
                second.resume(run.fid), second.cancel(run.fid, "stop"), second.resume(run.fid)
            )
            await second.cancel(run.fid)
        events = await recorded(second, run)
        assert [event.type for event in events if event.terminal] == ["run.cancelled"]
        assert events[-1].terminal


async def test_waking_and_cancelling_at_once_leaves_one_end(url: str, clock: FakeClock) -> None:
    async with Runtime(url, clock=clock) as first:
        run = await first.start(graph(SLOW, SlowToLoad))
        await seen(run, "run.waiting")
    async with Runtime(url, clock=clock, scheme=scheme_with(SlowToLoad)) as second:
        clock.advance(86400)
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await second.cancel(run.fid, "stop")
        await pass_time(clock, 0)
        events = await recorded(second, run)
        assert len([event for event in events if event.terminal]) == 1
        assert events[-1].terminal


async def test_a_run_of_a_live_runtime_is_busy_for_others(url: str) -> None:
    world = World()
    async with Runtime(url) as mine, Runtime(url) as other:
        run = await mine.start(graph(CHAIN, world.effect))
        with pytest.raises(RunBusy, match="another process"):
            await other.resume(run.fid)
        with pytest.raises(RunBusy, match="has not ended"):
            await other.retry(run.fid)
        world.gate.set()
        assert await result_of(run) == "c"


async def test_a_run_of_a_live_runtime_is_cancelled_through_it(url: str) -> None:
    world = World()
    async with Runtime(url) as mine, Runtime(url) as other:
        run = await mine.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
        async with asyncio.timeout(5):
            await other.cancel(run.fid, "from afar")
        assert data_of(await story(run), "run.cancelled")[0]["reason"] == "from afar"
