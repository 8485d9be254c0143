"""Several steps at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.watching import result_of, story, until

from penstock import Context, NodeError, Runtime, flow, step
from penstock.core.errors import RunFailed


@step
async def double(number: int) -> int:
    return number * 2


async def test_gather_runs_together_and_answers_in_order(runtime: Runtime) -> None:
    begun: list[int] = []

    @step
    async def meet(number: int) -> int:
        begun.append(number)
        await until(lambda: len(begun) == 5)
        return number

    @flow
    async def all_of(ctx: Context) -> Any:
        return await ctx.gather(*(ctx.step(meet, number) for number in range(5)))

    assert await result_of(await runtime.start(all_of)) == [0, 1, 2, 3, 4]


async def test_a_failure_in_a_gather_cancels_the_others_and_is_raised(runtime: Runtime) -> None:
    cancelled: list[str] = []

    @step
    async def hold() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("hold")

    @step
    async def fail() -> None:
        raise NodeError("no luck", code="luck")

    @flow
    async def both(ctx: Context) -> Any:
        try:
            await ctx.gather(ctx.step(hold), ctx.step(fail))
        except NodeError as error:
            return [error.code, await ctx.step(double, 1)]

    assert await result_of(await runtime.start(both)) == ["luck", 2]
    assert cancelled == ["hold"]


async def test_gathers_nest_and_their_places_never_collide(runtime: Runtime) -> None:
    async def inner(ctx: Context, base: int) -> list[int]:
        first = await ctx.step(double, base)
        return [first, *await ctx.gather(ctx.step(double, base + 1), ctx.step(double, base + 2))]

    @flow
    async def outer(ctx: Context) -> Any:
        return await ctx.gather(inner(ctx, 0), inner(ctx, 10))

    run = await runtime.start(outer)
    assert await result_of(run) == [[0, 2, 4], [20, 22, 24]]
    names = [event.node for event in await story(run) if event.type == "node.completed"]
    assert len(set(names)) == len(names) == 6


async def test_an_empty_gather_answers_nothing(runtime: Runtime) -> None:
    @flow
    async def none(ctx: Context) -> Any:
        return await ctx.gather()

    assert await result_of(await runtime.start(none)) == []


async def test_gather_refuses_what_is_no_operation(runtime: Runtime) -> None:
    @flow
    async def wrong(ctx: Context) -> Any:
        return await ctx.gather(1)  # type: ignore[arg-type]

    with pytest.raises(RunFailed, match=r"ctx\.step"):
        await result_of(await runtime.start(wrong))
