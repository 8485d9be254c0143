"""When the server of the store goes away and comes back, runs go on by themselves."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import pass_time, result_of, seen, until

from penstock import NodeContext, Runtime, node
from penstock.core.errors import RunNotFound, RunSuspended, StoreAway
from penstock.core.states import RunState
from penstock.store.memory import MemoryStore
from penstock.store.postgres.store import PostgresStore
from penstock.testing.clock import FakeClock
from penstock.testing.faults import FaultyStore

if TYPE_CHECKING:
    from tests.conftest import Restarts

    from penstock.core.store import Batch, RunRow

PATIENCE_SECONDS = 60.0
AWAY = StoreAway("the server cannot be reached")

CHAIN = """
flow: chain
nodes:
  - {kind: effect, name: a, links: {out: b}}
  - {kind: effect, name: b, links: {out: c}}
  - {kind: effect, name: c}
"""


class World:
    """A kind whose attempts are counted by run and node; `b` waits for a gate."""

    def __init__(self) -> None:
        self.done: Counter[tuple[str, str]] = Counter()
        self.keys: set[str] = set()
        self.gate = asyncio.Event()

        @node("effect")
        async def effect(value: Any = None, *, ctx: NodeContext) -> str:
            self.done[ctx.fid, ctx.node] += 1
            self.keys.add(ctx.idempotency_key)
            if ctx.node == "b":
                await self.gate.wait()
            return ctx.node

        self.scheme = scheme_with(effect)
        self.chain = graph(CHAIN, effect)

    def times(self, fid: str) -> dict[str, int]:
        """How often each node of a run was tried."""
        return {name: self.done[fid, name] for name in ("a", "b", "c")}


class AwayStore(MemoryStore):
    """A store that can be reached only while it is not away."""

    away = False

    async def commit(self, batch: Batch) -> None:
        self._refuse_away()
        await super().commit(batch)

    async def run(self, fid: str) -> RunRow | None:
        self._refuse_away()
        return await super().run(fid)

    def _refuse_away(self) -> None:
        if self.away:
            raise AWAY


async def test_five_runs_go_on_when_the_server_is_back_and_only_what_was_in_flight_is_repeated(
    postgres: str, restarts: Restarts
) -> None:
    world = World()
    runtime = Runtime(PostgresStore(postgres), scheme=world.scheme)
    async with asyncio.timeout(PATIENCE_SECONDS), runtime:
        runs = [await runtime.start(world.chain) for _ in range(5)]
        results = [asyncio.create_task(run.result(), name="result") for run in runs]
        for run in runs:
            await seen(run, "node.started", "b")
        await restarts.stop()
        world.gate.set()
        await until(lambda: runtime.resident == 0)  # none of them could write what `b` gave
        await restarts.start()
        assert await asyncio.gather(*results) == ["c"] * 5
        assert [world.times(run.fid) for run in runs] == [{"a": 1, "b": 2, "c": 1}] * 5
        assert len(world.keys) == 15, "what is repeated has the same idempotency key"


async def test_a_run_waits_for_its_store_as_long_as_it_takes(clock: FakeClock) -> None:
    world, store = World(), AwayStore()
    async with Runtime(store, clock=clock) as runtime:
        run = await runtime.start(world.chain)
        result = asyncio.create_task(run.result(), name="result")
        await until(lambda: world.done[run.fid, "b"])
        store.away = True
        world.gate.set()
        await until(lambda: runtime.resident == 0)
        await pass_time(clock, 1.0)
        assert not result.done()
        store.away = False
        assert await result_of(run) == await result == "c"
        assert world.times(run.fid) == {"a": 1, "b": 2, "c": 1}


@pytest.mark.parametrize("number", [2, 3, 4])
async def test_a_commit_whose_answer_was_lost_on_the_way_repeats_nothing(
    clock: FakeClock, number: int
) -> None:
    world = World()
    world.gate.set()
    store = FaultyStore(MemoryStore(), lose={number: AWAY})
    async with Runtime(store, clock=clock) as runtime:
        run = await runtime.start(world.chain)
        await until(lambda: store.commits == number and runtime.resident == 0)
        await pass_time(clock, 1.0)
        assert await result_of(run) == "c"
        assert world.times(run.fid) == {"a": 1, "b": 1, "c": 1}


async def test_a_run_that_came_into_being_unheard_is_executed_all_the_same(clock: FakeClock) -> None:
    world = World()
    world.gate.set()
    async with Runtime(FaultyStore(MemoryStore(), lose={1: AWAY}), clock=clock) as runtime:
        with pytest.raises(StoreAway):
            await runtime.launch(world.chain, fid="unheard")
        await pass_time(clock, 1.0)
        assert await result_of(runtime.get("unheard")) == "c"


async def test_a_run_that_never_came_into_being_is_not_waited_for(clock: FakeClock) -> None:
    world = World()
    async with Runtime(FaultyStore(MemoryStore(), fail={1: AWAY}), clock=clock) as runtime:
        with pytest.raises(StoreAway):
            await runtime.launch(world.chain, fid="unheard")
        await pass_time(clock, 1.0)
        with pytest.raises(RunNotFound):
            await result_of(runtime.get("unheard"))


async def test_whoever_waits_while_the_store_is_away_is_told_when_the_runtime_closes(
    clock: FakeClock,
) -> None:
    world, store = World(), AwayStore()
    async with Runtime(store, clock=clock) as runtime:
        run = await runtime.start(world.chain)
        result = asyncio.create_task(run.result(), name="result")
        await until(lambda: world.done[run.fid, "b"])
        store.away = True
        world.gate.set()
        await until(lambda: runtime.resident == 0)
        store.away = False
    with pytest.raises(RunSuspended):
        await result
    row = await store.run(run.fid)
    assert row is not None
    assert row.state is RunState.RUNNING


async def test_a_cancel_that_cannot_be_written_is_no_success(clock: FakeClock) -> None:
    world, store = World(), AwayStore()
    async with Runtime(store, clock=clock) as runtime:
        run = await runtime.start(world.chain)
        await until(lambda: world.done[run.fid, "b"])
        store.away = True
        with pytest.raises(StoreAway):
            await run.cancel()
        store.away = False
        await pass_time(clock, 1.0)
        await until(lambda: runtime.is_live(run.fid))
        await run.cancel()
        row = await run.row()
        assert row.state is RunState.CANCELLED
