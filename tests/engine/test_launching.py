"""Launching: who began a run, and of all launches with one key, one run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, story

from penstock import Context, Runtime, flow, node
from penstock.core.errors import InputError, StoreAway
from penstock.core.store import RunQuery, Sight
from penstock.engine.fid import new_fid
from penstock.store.memory import MemoryStore
from penstock.store.sqlite import SqliteStore
from penstock.testing.faults import FaultyStore

HELLO = (
    "{flow: hello, inputs: {name: {type: string}}, nodes: [{kind: snippet, language: cel, code: '1'}]}"
)


async def test_a_run_knows_its_launcher_and_its_namespace(runtime: Runtime) -> None:
    hello = graph(HELLO)
    hello.namespace = "shop"
    run = await runtime.launch(hello, {"name": "Ada"}, launcher="u-1")
    assert (await story(run))[0].data["launcher"] == "u-1"
    row = await run.row()
    assert (row.launcher, row.namespace, row.executor, row.key) == ("u-1", "shop", "inline", "")
    assert [found.fid for found in await runtime.runs(RunQuery(sight=Sight(launcher="u-1")))] == [
        run.fid
    ]


async def test_of_a_run_that_nobody_launched_its_stream_says_no_more_than_it_did(
    runtime: Runtime,
) -> None:
    run = await runtime.launch(graph(HELLO), {"name": "Ada"})
    assert set((await story(run))[0].data) == {"flow", "revision", "inputs"}


async def test_a_key_gives_the_run_that_it_began(runtime: Runtime) -> None:
    hello = graph(HELLO)
    first = await runtime.launch(hello, {"name": "Ada"}, key="order-1")
    await result_of(first)
    again = await runtime.launch(hello, {"name": "Bob"}, key="order-1")
    other = await runtime.launch(hello, {"name": "Ada"}, key="order-2")
    assert (first.fresh, again.fresh, other.fresh) == (True, False, True)
    assert again.fid == first.fid != other.fid
    assert await result_of(again) == 1
    assert len(await runtime.runs()) == 2


async def test_of_many_launches_at_once_with_one_key_one_begins_a_run(url: str) -> None:
    began: list[str] = []

    @node("work")
    async def work(value: Any = None) -> None:
        began.append("work")

    flow = graph("{flow: f, nodes: [{kind: work}]}", work)
    async with Runtime(url) as one, Runtime(url) as other:
        launches = [runtime.launch(flow, key="k") for runtime in (one, other) for _ in range(20)]
        runs = await asyncio.gather(*launches)
        assert len({run.fid for run in runs}) == 1
        assert [run.fresh for run in runs].count(True) == 1
        for run in runs:
            await result_of(run)
        assert began == ["work"]


async def test_a_key_holds_after_a_restart(url: str) -> None:
    hello = graph(HELLO)
    async with Runtime(url) as runtime:
        first = await runtime.launch(hello, {"name": "Ada"}, key="k")
        await result_of(first)
    async with Runtime(url) as runtime:
        again = await runtime.launch(hello, {"name": "Ada"}, key="k")
        assert (again.fid, again.fresh) == (first.fid, False)


async def test_a_key_is_not_taken_by_a_launch_that_was_refused(runtime: Runtime) -> None:
    hello = graph(HELLO)
    with pytest.raises(InputError):
        await runtime.launch(hello, {"name": 7}, key="k")
    assert (await runtime.launch(hello, {"name": "Ada"}, key="k")).fresh


async def test_a_launch_whose_answer_was_lost_finds_its_run_by_the_key(url: str) -> None:
    store = FaultyStore(SqliteStore(url.removeprefix("sqlite:///")), lose={1: StoreAway("lost")})
    async with Runtime(store) as runtime:
        with pytest.raises(StoreAway):
            await runtime.launch(graph(HELLO), {"name": "Ada"}, key="k")
        again = await runtime.launch(graph(HELLO), {"name": "Ada"}, key="k")
        assert not again.fresh
        assert await result_of(again) == 1


async def test_a_key_whose_first_launch_came_to_nothing_begins_a_run_after_all() -> None:
    store = FaultyStore(MemoryStore(), fail={1: StoreAway("gone"), 2: StoreAway("gone")})
    async with Runtime(store) as runtime:
        hello = graph(HELLO)
        for _ in range(2):
            with pytest.raises(StoreAway):
                await runtime.launch(hello, {"name": "Ada"}, key="k")
        run = await runtime.launch(hello, {"name": "Ada"}, key="k")
        assert run.fresh
        assert await result_of(run) == 1


async def test_a_python_flow_can_be_launched_with_a_key_and_an_id(runtime: Runtime) -> None:
    @flow
    async def tell(ctx: Context, name: str) -> str:
        return f"hello {name}"

    fid = new_fid(runtime.clock.now())
    run = await runtime.launch(tell, {"name": "Ada"}, fid=fid, key="k", launcher="u-1")
    again = await runtime.launch(tell, {"name": "Ada"}, key="k")
    assert run.fid == again.fid == fid
    assert await result_of(again) == "hello Ada"
