"""When ownership is a lease: taking over from the dead, and having been taken for dead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import seen

from penstock import NodeContext, Runtime, node
from penstock.core.errors import StoreLost
from penstock.core.events import Event, EventType
from penstock.core.states import RunState
from penstock.core.store import Batch, RunRow
from penstock.store.memory import MemoryStore
from penstock.store.postgres.store import PostgresStore

PATIENCE_SECONDS = 20.0
LEASE_SECONDS = 0.6

CHAIN = """
flow: chain
nodes:
  - {kind: effect, name: a, links: {out: b}}
  - {kind: effect, name: b, links: {out: c}}
  - {kind: effect, name: c}
"""


class World:
    """A kind whose effects are counted; the first `b` waits for a gate."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate = asyncio.Event()

        @node("effect")
        async def effect(value: Any = None, *, ctx: NodeContext) -> str:
            self.done.append(ctx.node)
            if ctx.node == "b" and self.done.count("b") == 1:
                await self.gate.wait()
            return ctx.node

        self.effect = effect

    def runtime(self, url: str, **options: Any) -> Runtime:
        store = PostgresStore(url, lease_seconds=LEASE_SECONDS)
        return Runtime(store, scheme=scheme_with(self.effect), **options)


async def take_for_dead(runtime: Runtime) -> None:
    """Take the lease away, as another runtime does when it has run out."""
    assert isinstance(runtime.store, PostgresStore)
    async with runtime.store._writing as connection:
        await connection.execute("DELETE FROM owners WHERE name = $1", runtime.store.owner)


async def test_whoever_waits_for_a_run_follows_it_to_the_runtime_that_took_it(postgres: str) -> None:
    world = World()
    async with asyncio.timeout(PATIENCE_SECONDS), world.runtime(postgres, recover=False) as mine:
        run = await mine.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
        waiting = asyncio.create_task(run.result(), name="waiting")
        async with world.runtime(postgres, recover=False) as other:
            await take_for_dead(mine)
            await other.resume(run.fid)
            assert await waiting == "c"
            assert (await run.row()).owner == other.store.owner
    assert world.done == ["a", "b", "b", "c"]


@pytest.mark.parametrize("recover", [True, False])
async def test_a_run_that_nobody_took_goes_on_where_it_was(postgres: str, recover: bool) -> None:
    world = World()
    async with asyncio.timeout(PATIENCE_SECONDS), world.runtime(postgres, recover=recover) as mine:
        run = await mine.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
        await take_for_dead(mine)
        assert await run.result() == "c"
    assert world.done == ["a", "b", "b", "c"]


async def test_a_live_runtime_takes_over_what_a_closed_one_left(postgres: str) -> None:
    world = World()
    async with asyncio.timeout(PATIENCE_SECONDS), world.runtime(postgres) as other:
        async with world.runtime(postgres) as mine:
            run = await mine.start(graph(CHAIN, world.effect))
            await seen(run, "node.started", "b")
        assert await other.get(run.fid).result() == "c"


class Paused(MemoryStore):
    """A store whose lease has run out by the time the first effect is done."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    @property
    def held(self) -> bool:
        return not self._world.done

    async def hold(self) -> None:
        raise StoreLost("taken for dead")


async def test_no_effect_begins_when_the_run_may_be_another_s() -> None:
    world = World()
    async with Runtime(Paused(world)) as runtime:
        run = await runtime.start(graph(CHAIN, world.effect))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await run.result()
    assert world.done == ["a"]


class Dying(MemoryStore):
    """A store where another process has a run, hears a word about it, and dies."""

    words: tuple[str, ...] = ()

    async def alive(self, owner: str) -> bool:
        return owner == "another" and not self.words

    async def signal(self, fid: str, signal: str) -> None:
        self.words += (signal,)

    async def changed(self, fid: str, *, after: int) -> None:
        await asyncio.get_running_loop().create_future()


async def test_a_run_whose_process_dies_before_it_heeds_the_word_is_cancelled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("penstock.engine.runtime.LOOK_SECONDS", 0.01)
    world, store = World(), Dying()
    row = RunRow(fid="r1", flow="chain", state=RunState.RUNNING, owner="another")
    begun = Event(1, 0.0, EventType.RUN_STARTED, data={"flow": "chain", "inputs": {}})
    batch = Batch()
    batch.runs.append(row)
    batch.events["r1"] = [begun]
    async with Runtime(store, scheme=scheme_with(world.effect), recover=False) as runtime:
        await store.commit(batch)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await runtime.cancel("r1", "not needed")
        assert store.words == ("cancel not needed",)
        assert (await runtime.get("r1").row()).state is RunState.CANCELLED
