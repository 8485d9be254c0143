"""Steps of Python flows: their policies, results and failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.engine.watching import data_of, pass_time, result_of, seen, story, until

from penstock import Context, Duration, NodeError, Retry, Runtime, StepContext, flow, step
from penstock.core.errors import RunFailed
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@step
async def double(number: int) -> int:
    return number * 2


async def test_a_step_s_result_is_the_same_live_and_on_replay(tmp_path: Path) -> None:
    kinds: list[str] = []
    gate = asyncio.Event()

    class Point(msgspec.Struct):
        x: int
        y: int

    @step
    async def point() -> Point:
        return Point(1, 2)

    @step
    async def held() -> None:
        await gate.wait()

    @flow
    async def look(ctx: Context) -> Any:
        found = await ctx.step(point)
        kinds.append(type(found).__name__)
        await ctx.step(held)
        return found

    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as first:
        run = await first.start(look)
        await seen(run, "node.started", "held#2")
    gate.set()
    async with Runtime(url, flows=[look]) as second:
        assert await result_of(second.get(run.fid)) == {"x": 1, "y": 2}
    assert kinds == ["dict", "dict"]


async def test_a_step_has_the_policies_it_was_declared_with(timed: Runtime, clock: FakeClock) -> None:
    attempts = 0

    @step(name="flaky", retry=Retry(attempts=3, delay=Duration(seconds=2)), timeout="5s")
    async def unreliable() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError("once")
        if attempts == 2:
            await asyncio.Event().wait()
        return "done"

    @flow
    async def tries(ctx: Context) -> Any:
        return await ctx.step(unreliable)

    run = await timed.start(tries)
    for seconds in (2, 5, 4):
        await until(lambda: clock.pending)
        await pass_time(clock, seconds)
    assert await result_of(run) == "done"
    errors = [facts["error"].code for facts in data_of(await story(run), "node.retrying", "flaky#1")]
    assert errors == ["OSError", "timeout"]


async def test_a_plain_function_is_a_step_too_and_gets_a_thread(runtime: Runtime) -> None:
    import threading

    def where(suffix: str) -> str:
        return threading.current_thread().name[:8] + suffix

    @flow
    async def ask(ctx: Context) -> Any:
        return await ctx.step(where, "!")

    assert await result_of(await runtime.start(ask)) == "penstock!"


async def test_a_failed_step_raises_what_can_be_caught(runtime: Runtime) -> None:
    def fail() -> None:
        raise KeyError("lost")

    @flow
    async def careful(ctx: Context) -> Any:
        try:
            await ctx.step(fail)
        except NodeError as error:
            return [error.code, error.node, str(error)]

    assert await result_of(await runtime.start(careful)) == ["KeyError", "fail#1", "KeyError: 'lost'"]


async def test_an_uncaught_failure_names_the_step(runtime: Runtime) -> None:
    def fail() -> None:
        raise KeyError("lost")

    @flow
    async def careless(ctx: Context) -> Any:
        await ctx.step(double, 1)
        await ctx.step(fail)

    with pytest.raises(RunFailed, match="failed at `fail#2`") as raised:
        await result_of(await runtime.start(careless))
    assert raised.value.error.code == "KeyError"


async def test_a_value_that_cannot_travel_is_the_step_s_failure(runtime: Runtime) -> None:
    @flow
    async def wrong(ctx: Context) -> Any:
        return await ctx.step(object)

    with pytest.raises(RunFailed, match="cannot travel"):
        await result_of(await runtime.start(wrong))


async def test_a_step_that_was_made_and_not_awaited_does_not_disturb(runtime: Runtime) -> None:
    @flow
    async def forgetful(ctx: Context) -> Any:
        ctx.step(double, 1).close()
        return await ctx.step(double, 2)

    assert await result_of(await runtime.start(forgetful)) == 4


async def test_a_step_s_context_goes_where_its_signature_wants_it(runtime: Runtime) -> None:
    def first(ctx: StepContext, a: int, b: int = 2) -> list[Any]:
        return [ctx.node, a, b]

    async def between(a: int, ctx: StepContext, b: int = 2) -> list[Any]:
        return [ctx.node, a, b]

    @step(blocking=False)
    def last(a: int, b: int = 2, *, ctx: StepContext) -> list[Any]:
        return [ctx.node, a, b]

    @flow
    async def all_of_them(ctx: Context) -> Any:
        return [
            await ctx.step(first, 1),
            await ctx.step(first, a=1, b=3),
            await ctx.step(between, 1, 3),
            await ctx.step(between, b=3, a=1),
            await ctx.step(last, 1, 3),
        ]

    assert await result_of(await runtime.start(all_of_them)) == [
        ["first#1", 1, 2],
        ["first#2", 1, 3],
        ["between#3", 1, 3],
        ["between#4", 1, 3],
        ["last#5", 1, 3],
    ]


async def test_all_attempts_of_a_step_have_one_key_and_no_other_step_has_it(runtime: Runtime) -> None:
    seen_keys: list[tuple[int, str]] = []

    @step(retry=Retry(attempts=3, delay=Duration(0)))
    async def flaky(ctx: StepContext) -> str:
        seen_keys.append((ctx.attempt, ctx.idempotency_key))
        ctx.message(f"attempt {ctx.attempt}")
        if ctx.attempt < 3:
            raise RuntimeError("not yet")
        return ctx.idempotency_key

    @flow
    async def keyed(ctx: Context) -> Any:
        return [await ctx.step(flaky), await ctx.step(flaky)]

    run = await runtime.start(keyed)
    first, second = await result_of(run)
    assert first != second
    assert seen_keys == [(number, key) for key in (first, second) for number in (1, 2, 3)]
    said = data_of(await story(run), "node.message", "flaky#1")
    assert [note["message"] for note in said] == ["attempt 1", "attempt 2", "attempt 3"]
