"""What a failure that nothing caught does to its flow: stop, continue, retry."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.engine.failing import KINDS, give
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, lines, pass_time, result_of, seen, story, until

from penstock import (
    NodeContext,
    NodeError,
    Runtime,
    node,
)
from penstock.core.errors import RunFailed
from penstock.core.states import RunState
from penstock.testing.clock import FakeClock


async def test_stop_cancels_what_runs(runtime: Runtime) -> None:
    cancelled: list[str] = []
    began = asyncio.Event()

    @node("hold")
    async def hold(value: Any = None) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("hold")

    @node("fail.later")
    async def fail_later(value: Any = None) -> None:
        await began.wait()
        raise OSError("enough")

    text = "{flow: f, nodes: [{kind: hold, name: a}, {kind: fail.later, name: b}]}"
    run = await runtime.start(graph(text, hold, fail_later))
    with pytest.raises(RunFailed, match="enough"):
        await result_of(run)
    assert cancelled == ["hold"]


async def test_continue_completes_and_lists_what_failed(runtime: Runtime) -> None:
    text = """
    flow: f
    settings: {on_error: continue}
    nodes:
      - {kind: fail, name: a, links: {out: behind}}
      - {kind: give, name: behind}
      - {kind: pure.fail, name: b}
      - {kind: give, name: c, what: 1}
    """
    run = await runtime.start(graph(text, *KINDS))
    assert await result_of(run) == 1
    events = await story(run)
    assert [error.node for error in events[-1].data["failures"]] == ["a", "b"]
    assert "node.skipped behind" in lines(events)
    assert (await run.row()).state is RunState.COMPLETED


async def test_continue_does_not_reach_into_calls(runtime: Runtime) -> None:
    text = """
    flow: f
    settings: {on_error: continue}
    nodes:
      - {kind: within, name: w, links: {out: a}}
      - {kind: fail, name: a}
      - {kind: give, name: c, what: 1}
    """
    run = await runtime.start(graph(text, *KINDS))
    assert await result_of(run) == 1
    failures = (await story(run))[-1].data["failures"]
    assert [(error.node, error.code) for error in failures] == [("w[0]/a", "luck")]


async def test_retry_runs_the_flow_again_as_often_as_it_says(runtime: Runtime) -> None:
    count = 0

    @node("third")
    async def third(value: Any = None, *, ctx: NodeContext) -> str:
        nonlocal count
        count += 1
        ctx.state["count"] = ctx.state.get("count", 0) + 1
        if count < 3:
            raise OSError("not yet")
        return f"{count} {ctx.state['count']}"

    text = """
    flow: f
    settings: {on_error: {strategy: retry, max_retries: 2}}
    nodes: [{kind: give, name: a, what: 1, links: {out: b}}, {kind: third, name: b}]
    """
    run = await runtime.start(graph(text, give, third))
    assert await result_of(run) == "3 1", "state begins anew with each restart"
    resumed = data_of(await story(run), "run.resumed")
    assert [(facts["reason"], facts["restart"]) for facts in resumed] == [("restart", 1), ("restart", 2)]
    assert all(facts["error"].code == "OSError" for facts in resumed)


async def test_retry_gives_up_with_the_last_failure(timed: Runtime, clock: FakeClock) -> None:
    text = """
    flow: f
    settings: {on_error: {strategy: retry, max_retries: 2, delay: 10s}}
    nodes: [{kind: fail, name: a}]
    """
    run = await timed.start(graph(text, *KINDS))
    for number in (1, 2):
        await until(lambda number=number: clock.pending)  # type: ignore[misc]
        assert len(data_of(await timed.store.events(run.fid), "node.failed", "a")) <= number
        await pass_time(clock, 10)
    with pytest.raises(RunFailed, match="no luck"):
        await result_of(run)
    assert len(data_of(await story(run), "node.failed", "a")) == 3


async def test_a_run_can_be_cancelled_while_it_waits_to_begin_again(
    timed: Runtime, clock: FakeClock
) -> None:
    text = """
    flow: f
    settings: {on_error: {strategy: retry, delay: 1h}}
    nodes: [{kind: fail, name: a}]
    """
    run = await timed.start(graph(text, *KINDS))
    await seen(run, "run.resumed")
    async with asyncio.timeout(1):
        await run.cancel()
    await pass_time(clock, 7200)
    assert lines(await story(run), "run.")[-1] == "run.cancelled"


async def test_the_delay_of_a_restart_goes_on_where_a_dead_process_left_it(
    tmp_path: Path, clock: FakeClock
) -> None:
    began: list[float] = []

    @node("hopeful")
    async def hopeful() -> str:
        began.append(clock.now())
        if len(began) == 1:
            raise NodeError("not yet")
        return "done"

    text = """
    flow: f
    settings: {on_error: {strategy: retry, delay: 1h}}
    nodes: [{kind: hopeful, name: a}]
    """
    url, start = f"sqlite:///{tmp_path}/runs.db", clock.now()
    async with Runtime(url, clock=clock) as first:
        run = await first.start(graph(text, hopeful))
        await seen(run, "run.resumed")
    clock.advance(1800)
    async with Runtime(url, scheme=scheme_with(hopeful), clock=clock) as second:
        await until(lambda: second.is_live(run.fid))
        await pass_time(clock, 1790)
        assert began == [start]
        await pass_time(clock, 10)
        assert await result_of(second.get(run.fid)) == "done"
    assert began == [start, start + 3600]
