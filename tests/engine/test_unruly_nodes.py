"""Nodes that do not behave when they are cancelled, or cancel themselves."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import recorded, result_of, seen, story, until

from penstock import NodeContext, Runtime, node
from penstock.core.states import RunState


@node("nop")
def _nop(value: Any = None) -> Any:
    return value or {}


async def test_a_node_that_swallows_the_cancellation_cannot_keep_the_run_alive(runtime: Runtime) -> None:
    after: list[str] = []

    @node("stubborn")
    async def stubborn(value: Any = None) -> str:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            after.append("swallowed")
        return "done all the same"

    @node("next")
    async def follow(value: Any = None) -> str:
        after.append("went on")
        return "x"

    text = "{flow: f, nodes: [{kind: stubborn, name: a, links: {out: b}}, {kind: next, name: b}]}"
    run = await runtime.start(graph(text, stubborn, follow))
    await seen(run, "node.started", "a")
    await asyncio.wait_for(run.cancel(), 1)
    assert after == ["swallowed"]
    assert (await run.row()).state is RunState.CANCELLED


@pytest.mark.parametrize("beside", ["", ", {kind: clumsy, name: c}"], ids=["alone", "beside another"])
async def test_a_node_that_fails_in_its_cleanup_cannot_keep_the_run_alive(
    runtime: Runtime, beside: str
) -> None:
    went_on: list[str] = []

    @node("clumsy")
    async def clumsy(value: Any = None) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("cannot clean up")

    @node("sorry")
    async def sorry(value: Any = None) -> None:
        went_on.append("sorry")

    text = "{flow: f, nodes: [{kind: clumsy, name: a, links: {error: b}}, {kind: sorry, name: b}%s]}"
    run = await runtime.start(graph(text % beside, clumsy, sorry))
    await seen(run, "node.started", "a")
    async with asyncio.timeout(1):
        await run.cancel()
    assert went_on == []
    assert (await run.row()).state is RunState.CANCELLED


async def test_a_node_whose_own_task_was_cancelled_fails_like_any_other(runtime: Runtime) -> None:
    @node("careless")
    async def careless(value: Any = None) -> None:
        inner = asyncio.ensure_future(asyncio.sleep(600))
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    @node("caught")
    async def caught(value: Any = None) -> str:
        return "caught"

    text = "{flow: f, nodes: [{kind: careless, name: a, links: {error: b}}, {kind: caught, name: b}]}"
    run = await runtime.start(graph(text, careless, caught))
    assert await result_of(run) == "caught"


async def test_a_careless_node_beside_others_fails_too(runtime: Runtime) -> None:
    @node("careless")
    async def careless(value: Any = None) -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    text = """
    flow: f
    settings: {on_error: continue}
    nodes: [{kind: careless, name: a}, {kind: careless, name: b}, {kind: nop, name: c}]
    """
    run = await runtime.start(graph(text, careless, _nop))
    assert await result_of(run) == {}
    assert {error.node for error in (await story(run))[-1].data["failures"]} == {"a", "b"}


async def test_what_a_thread_says_after_the_end_is_not_in_the_stream(runtime: Runtime) -> None:
    go, gone = threading.Event(), threading.Event()

    @node("blocking")
    def blocking(value: Any = None, *, ctx: NodeContext) -> None:
        go.wait(10)
        ctx.message("too late")
        gone.set()

    run = await runtime.start(graph("{flow: f, nodes: [{kind: blocking, name: a}]}", blocking))
    await seen(run, "node.started", "a")
    await run.cancel()
    go.set()
    await until(gone.is_set)
    await asyncio.sleep(0)
    assert (await recorded(runtime, run))[-1].type == "run.cancelled"
