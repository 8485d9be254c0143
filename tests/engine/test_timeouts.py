"""Limits of time: of an attempt, and of a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import data_of, lines, pass_time, result_of, seen, story, until

from penstock import (
    Control,
    ControlContext,
    Inputs,
    NodeContext,
    Outputs,
    Port,
    Runtime,
    node,
)
from penstock.core.errors import RunFailed, RunTimeout
from penstock.testing.clock import FakeClock


async def test_each_attempt_has_its_own_time(timed: Runtime, clock: FakeClock) -> None:
    attempts: list[int] = []

    @node("slow")
    async def slow(*, ctx: NodeContext) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            await asyncio.Event().wait()
        return "done"

    text = "{flow: f, nodes: [{kind: slow, name: a, timeout: 5s, retry: {attempts: 3, delay: 0}}]}"
    run = await timed.start(graph(text, slow))
    for number in (1, 2):
        await until(lambda number=number: len(attempts) == number)  # type: ignore[misc]
        await pass_time(clock, 4.9)
        assert len(attempts) == number
        await pass_time(clock, 0.1)
    assert await result_of(run) == "done"
    errors = [facts["error"] for facts in data_of(await story(run), "node.retrying", "a")]
    assert [error.code for error in errors] == ["timeout", "timeout"]
    assert errors[0].message == "took longer than 5s"


async def test_a_timeout_is_the_node_s_failure_and_the_rest_goes_on(
    timed: Runtime, clock: FakeClock
) -> None:
    @node("slow")
    async def slow(value: Any = None) -> None:
        await asyncio.Event().wait()

    @node("give", pure=True)
    def give(value: Any) -> Any:
        return value.code

    text = """
    flow: f
    nodes: [{kind: slow, name: a, timeout: 1m, links: {error: b}}, {kind: give, name: b}]
    """
    run = await timed.start(graph(text, slow, give))
    await seen(run, "node.started", "a")
    clock.advance(60)
    assert await result_of(run) == "timeout"


async def test_a_node_that_swallows_its_timeout_has_timed_out_all_the_same(
    timed: Runtime, clock: FakeClock
) -> None:
    @node("stubborn")
    async def stubborn(value: Any = None) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "swallowed"
        return "never"

    @node("slow")
    async def slow(value: Any = None) -> str:
        await asyncio.Event().wait()
        return "never"

    @node("give", pure=True)
    def give(value: Any) -> Any:
        return value.code

    text = """
    flow: f
    nodes:
      - {kind: stubborn, name: a, timeout: 1s, links: {error: b}}
      - {kind: slow, name: b, timeout: 1s, links: {error: c}}
      - {kind: give, name: c}
    """
    run = await timed.start(graph(text, stubborn, slow, give))
    await seen(run, "node.started", "a")
    clock.advance(1)
    await seen(run, "node.started", "b")
    clock.advance(1)
    assert await result_of(run) == "timeout"


async def test_a_timeout_does_not_count_the_wait_for_a_slot(timed: Runtime, clock: FakeClock) -> None:
    gates = {"a": asyncio.Event(), "b": asyncio.Event()}

    @node("hold")
    async def hold(*, ctx: NodeContext) -> str:
        await gates[ctx.node].wait()
        return ctx.node

    text = """
    flow: f
    settings: {max_parallel: 1}
    nodes: [{kind: hold, name: a}, {kind: hold, name: b, timeout: 5s}]
    """
    run = await timed.start(graph(text, hold))
    await seen(run, "node.started", "a")
    await pass_time(clock, 60)
    gates["a"].set()
    await seen(run, "node.started", "b")
    gates["b"].set()
    assert await result_of(run) == ["a", "b"]


class Within(Control, kind="within"):
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True)}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        await ctx.call("out", 1)
        return None


async def test_the_timeout_of_a_caller_ends_what_it_called(timed: Runtime, clock: FakeClock) -> None:
    text = """
    flow: f
    nodes:
      - {kind: within, name: w, timeout: 10s, links: {out: x}}
      - {kind: within, name: x, timeout: 10s, links: {out: nap}}
      - {kind: delay, name: nap, duration: 1h, timeout: 10s}
    """
    for seconds in (10, 15):
        run = await timed.start(
            graph(
                text.replace(
                    "nap, duration: 1h, timeout: 10s", f"nap, duration: 1h, timeout: {seconds}s"
                ),
                Within,
            )
        )
        await seen(run, "node.waiting", "w[0]/x[0]/nap")
        clock.advance(10)
        with pytest.raises(RunFailed, match="took longer than 10s"):
            await result_of(run)


async def test_a_blocking_node_times_out_though_its_thread_goes_on(
    timed: Runtime, clock: FakeClock
) -> None:
    import threading

    go = threading.Event()

    @node("blocking")
    def blocking() -> None:
        go.wait(10)

    run = await timed.start(
        graph("{flow: f, nodes: [{kind: blocking, name: a, timeout: 1s}]}", blocking)
    )
    await seen(run, "node.started", "a")
    clock.advance(1)
    with pytest.raises(RunFailed, match="took longer than 1s"):
        await result_of(run)
    go.set()


async def test_a_run_has_a_limit_of_its_own(timed: Runtime, clock: FakeClock) -> None:
    cleaned: list[str] = []

    @node("slow")
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("slow")

    run = await timed.start(
        graph("{flow: f, settings: {timeout: 30s}, nodes: [{kind: slow, name: a}]}", slow)
    )
    await seen(run, "node.started", "a")
    clock.advance(29)
    assert not cleaned
    clock.advance(1)
    with pytest.raises(RunTimeout, match="longer than 30s"):
        await result_of(run)
    assert cleaned == ["slow"]
    events = await story(run)
    assert events[-1].type == "run.failed"
    assert events[-1].data["error"].code == "RunTimeout"
    assert events[-1].data["duration_ms"] == 30_000


async def test_a_node_may_not_catch_the_run_s_limit(timed: Runtime, clock: FakeClock) -> None:
    text = """
    flow: f
    settings: {timeout: 30s}
    nodes:
      - {kind: delay, name: a, duration: 1h, retry: {attempts: 5}, links: {error: b}}
      - {kind: delay, name: b, duration: 1s}
    """
    run = await timed.start(graph(text))
    await seen(run, "node.waiting", "a")
    clock.advance(30)
    with pytest.raises(RunTimeout):
        await result_of(run)
    assert "node.retrying a" not in lines(await story(run))
