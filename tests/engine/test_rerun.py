"""Retrying a run: a new one that goes on from what had completed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, story

from penstock import (
    Context,
    NodeContext,
    NodeError,
    Runtime,
    flow,
    node,
    step,
)
from penstock.core.errors import RunFailed
from penstock.core.states import RunState


async def test_a_retry_goes_on_from_what_had_completed(url: str) -> None:
    done: list[str] = []
    broken = True

    @node("work")
    async def work(value: Any = None, *, ctx: NodeContext) -> str:
        if broken and ctx.node == "b":
            raise OSError("broken")
        done.append(ctx.node)
        return ctx.node

    text = "{flow: f, nodes: [{kind: work, name: a, links: {out: b}}, {kind: work, name: b}]}"
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text, work))
        with pytest.raises(RunFailed):
            await result_of(run)
        broken = False
        again = await runtime.retry(run.fid)
        assert await result_of(again) == "b"
        assert done == ["a", "b"]
        assert (await story(again))[0].data["retry_of"] == run.fid
        anew = await runtime.retry(run.fid, from_start=True)
        assert await result_of(anew) == "b"
        assert done == ["a", "b", "a", "b"]
        assert (await run.row()).state is RunState.FAILED, "what was is not rewritten"


async def test_a_retry_may_take_another_branch_than_the_run_it_repeats(url: str) -> None:
    broken = True

    @node("work")
    async def work(value: Any = None, *, ctx: NodeContext) -> str:
        if broken and ctx.node in ("a", "z"):
            raise OSError("broken")
        return ctx.node

    text = """
    flow: f
    nodes:
      - {kind: work, name: a, links: {error: apology, out: b}}
      - {kind: work, name: apology}
      - {kind: work, name: b}
      - {kind: work, name: y, links: {out: z}}
      - {kind: work, name: z}
    """
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text, work))
        with pytest.raises(RunFailed):
            await result_of(run)
        broken = False
        assert await result_of(await runtime.retry(run.fid)) in (["b", "z"], ["apology", "z"])


async def test_a_python_flow_that_is_retried_may_take_another_branch(url: str) -> None:
    broken = True

    @step
    async def fragile() -> str:
        if broken:
            raise OSError("broken")
        return "fine"

    @step
    async def mend() -> str:
        return "mended"

    @flow
    async def careful(ctx: Context) -> str:
        try:
            found = await ctx.step(fragile)
        except NodeError:
            found = await ctx.step(mend)
            raise RuntimeError("given up") from None
        return str(found)

    async with Runtime(url) as runtime:
        run = await runtime.start(careful)
        with pytest.raises(RunFailed, match="given up"):
            await result_of(run)
        broken = False
        again = await runtime.retry(run.fid)
        assert await result_of(again) == "fine"
