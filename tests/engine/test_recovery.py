"""A runtime goes on with what another one began: what is done stays done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, lines, recorded, result_of, seen, story
from tests.engine.world import CHAIN, World

from penstock import (
    Context,
    Runtime,
    flow,
    node,
    step,
)
from penstock.core.errors import NonDeterminism, PenstockError, RunNotFound
from penstock.core.states import RunState


async def test_completed_nodes_do_not_run_again_and_the_one_in_flight_keeps_its_key(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    assert world.done == ["a"]
    world.gate.set()
    async with Runtime(url, scheme=scheme_with(world.effect)) as second:
        again = second.get(run.fid)
        assert await result_of(again) == "c"
        events = await story(again)
    assert world.done == ["a", "b", "c"]
    assert world.keys == [f"{run.fid}:{name}" for name in ("a", "b", "b", "c")]
    assert data_of(events, "run.resumed") == [{"reason": "recovery"}]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_closing_a_runtime_cancels_nothing(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    async with Runtime(url, recover=False) as second:
        assert (await second.get(run.fid).row()).state is RunState.RUNNING
        assert "run.cancelled" not in lines(await recorded(second, run))


async def test_without_recovery_a_run_stays_until_it_is_resumed(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    world.gate.set()
    async with Runtime(url, recover=False, scheme=scheme_with(world.effect)) as second:
        assert world.done == ["a"]
        assert await result_of(await second.resume(run.fid)) == "c"


async def test_resuming_an_ended_or_an_unknown_run(url: str) -> None:
    world = World()
    world.gate.set()
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(CHAIN, world.effect))
        assert await result_of(run) == "c"
        assert await result_of(await runtime.resume(run.fid)) == "c"
        with pytest.raises(RunNotFound):
            await runtime.resume("nobody")
    assert world.done == ["a", "b", "c"]


async def test_a_run_whose_kind_is_gone_stays_as_it_is_and_says_why(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    async with Runtime(url) as second:
        with pytest.raises(PenstockError, match="unknown kind `effect`"):
            await result_of(second.get(run.fid))
        row = await second.get(run.fid).row()
        assert row.state is RunState.RUNNING
        assert "unknown kind `effect`" in row.error
    world.gate.set()
    async with Runtime(url, scheme=scheme_with(world.effect)) as third:
        assert await result_of(third.get(run.fid)) == "c"
        assert (await third.get(run.fid).row()).error == ""


async def test_a_run_that_cannot_be_revived_does_not_stop_the_others(url: str) -> None:
    world = World()

    @node("gone")
    async def gone() -> None:
        await asyncio.Event().wait()

    async with Runtime(url) as first:
        lost = await first.start(graph("{flow: g, nodes: [{kind: gone, name: a}]}", gone))
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
        await seen(lost, "node.started", "a")
    world.gate.set()
    async with Runtime(url, scheme=scheme_with(world.effect)) as second:
        assert await result_of(second.get(run.fid)) == "c"


async def test_a_python_flow_that_changed_under_its_run_is_refused(url: str) -> None:
    gate = asyncio.Event()

    @step
    async def one() -> int:
        return 1

    @step
    async def other() -> int:
        return 2

    @step
    async def held() -> None:
        await gate.wait()

    @flow(name="job")
    async def before(ctx: Context) -> Any:
        found = await ctx.step(one)
        await ctx.step(held)
        return found

    @flow(name="job")
    async def after(ctx: Context) -> Any:
        found = await ctx.step(other)
        await ctx.step(held)
        return found

    @flow(name="job")
    async def shorter(ctx: Context) -> Any:
        return "nothing"

    for number, changed in enumerate((after, shorter)):
        place = url.replace("runs.db", f"{number}.db")
        async with Runtime(place) as first:
            run = await first.start(before)
            await seen(run, "node.started", "held#2")
        async with Runtime(place, flows=[changed]) as second:
            with pytest.raises(NonDeterminism, match="one#1") as raised:
                await result_of(second.get(run.fid))
            assert "old code" in raised.value.remedy
            assert (await second.get(run.fid).row()).state is RunState.FAILED
