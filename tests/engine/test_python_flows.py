"""Flows in plain Python: steps, gathers, sleeps, calls, and what a replay demands of them."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import data_of, lines, pass_time, result_of, seen, story

from penstock import Context, Duration, NodeError, Runtime, flow, node, step
from penstock.core.errors import InputError, NonDeterminism, RunCancelled, RunFailed, RunTimeout
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@step
async def double(number: int) -> int:
    return number * 2


@flow
async def doubled(ctx: Context, number: int, times: int = 1) -> int:
    """Double a number.

    Several times, if one likes.
    """
    for _ in range(times):
        number = await ctx.step(double, number)
    return number


async def test_a_flow_runs_its_steps_and_returns(runtime: Runtime) -> None:
    run = await runtime.start(doubled, number=3, times=3)
    assert await result_of(run) == 24
    assert lines(await story(run), "node.") == [
        f"node.{what} double#{place}" for place in (1, 2, 3) for what in ("started", "completed")
    ]


def test_hints_and_docstring_describe_the_flow() -> None:
    assert doubled.name == "doubled"
    assert doubled.description == "Double a number."
    assert doubled.input_schema == {
        "type": "object",
        "properties": {"number": {"type": "integer"}, "times": {"type": "integer", "default": 1}},
        "required": ["number"],
    }


class _NoEngine:
    """Calls a step as it is."""

    async def step(self, function: Any, *arguments: Any) -> Any:
        return await function(*arguments)


async def test_decorated_functions_stay_callable() -> None:
    assert await double(4) == 8
    assert await doubled(_NoEngine(), 4, 2) == 16


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "`number` is missing"),
        ({"number": "three"}, "`number`: Expected `int`, got `str`"),
        ({"number": 1, "nubmer": 2}, "`nubmer` is no parameter of the flow"),
    ],
)
async def test_wrong_inputs_are_refused_before_anything_runs(
    runtime: Runtime, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as raised:
        await runtime.launch(doubled, inputs)
    assert message in str(raised.value)
    assert "number, times" in raised.value.remedy
    assert await runtime.runs() == []


@dataclasses.dataclass
class Order:
    name: str
    due: dt.date
    amount: float = 1.0


async def test_parameters_arrive_as_their_hints_say(runtime: Runtime) -> None:
    @flow
    async def ship(ctx: Context, order: Order, wait: Duration) -> Any:
        assert isinstance(order, Order)
        assert isinstance(wait, Duration)
        return {"order": order, "weekday": order.due.strftime("%A"), "wait": wait.total_seconds()}

    run = await runtime.start(ship, order={"name": "x", "due": "2026-11-20"}, wait="2m")
    assert await result_of(run) == {
        "order": {"name": "x", "due": "2026-11-20", "amount": 1.0},
        "weekday": "Friday",
        "wait": 120.0,
    }
    assert await result_of(await runtime.start(ship, order=Order("y", dt.date(2026, 11, 21)), wait=60))


async def test_sleep_is_durable(tmp_path: Path, clock: FakeClock) -> None:
    woken: list[float] = []

    @step
    async def wake() -> None:
        woken.append(clock.now())

    @flow
    async def nap(ctx: Context) -> str:
        await ctx.sleep("3d")
        await ctx.step(wake)
        return "rested"

    start = clock.now()
    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url, clock=clock) as first:
        run = await first.start(nap)
        await seen(run, "run.waiting")
    clock.advance(86400)
    async with Runtime(url, clock=clock, flows=[nap]) as second:
        await pass_time(clock, 2 * 86400)
        assert await result_of(second.get(run.fid)) == "rested"
    assert woken == [start + 3 * 86400]


async def test_flows_call_flows_of_both_sorts(runtime: Runtime) -> None:
    @node("add", pure=True)
    def add(number: int, *, by: int = 1) -> int:
        return number + by

    plus = graph(
        "{flow: plus, inputs: {number: {type: integer}}, nodes: [{kind: add, name: a, by: 10}]}", add
    )

    @flow
    async def outer(ctx: Context) -> Any:
        return [
            await ctx.call(doubled, number=2),
            await ctx.call(plus, number=1),
            *await ctx.gather(ctx.call(doubled, number=3, times=2), ctx.call(plus, number=2)),
        ]

    run = await runtime.start(outer)
    assert await result_of(run) == [4, 11, 12, 12]
    started = [
        (event.node, event.data["flow"]) for event in await story(run) if event.type == "child.started"
    ]
    assert started[:2] == [("doubled#1", "doubled"), ("plus#2", "plus")]


async def test_a_called_flow_s_failure_can_be_caught(runtime: Runtime) -> None:
    def fail() -> None:
        raise OSError("inside")

    @flow
    async def inner(ctx: Context) -> None:
        await ctx.step(fail)

    @flow
    async def outer(ctx: Context) -> Any:
        try:
            await ctx.call(inner)
        except NodeError as error:
            return [error.code, error.node]

    assert await result_of(await runtime.start(outer)) == ["OSError", "inner#1/fail#1"]


async def test_wrong_inputs_of_a_called_flow_are_its_failure(runtime: Runtime) -> None:
    @flow
    async def outer(ctx: Context) -> Any:
        await ctx.call(doubled, number="x")

    with pytest.raises(RunFailed, match="do not fit flow `doubled`"):
        await result_of(await runtime.start(outer))


async def test_resources_of_a_flow_are_released_in_reverse_whatever_happens(runtime: Runtime) -> None:
    released: list[str] = []

    @flow
    async def holds(ctx: Context, fail: bool) -> None:
        ctx.resources.callback(released.append, "first")
        ctx.resources.callback(released.append, "second")
        if fail:
            raise OSError("no")
        await ctx.sleep("1h")

    with pytest.raises(RunFailed):
        await result_of(await runtime.start(holds, fail=True))
    assert released == ["second", "first"]
    run = await runtime.start(holds, fail=False)
    await seen(run, "node.waiting", "sleep#1")
    await run.cancel()
    assert released == ["second", "first"] * 2


async def test_a_flow_has_a_limit(timed: Runtime, clock: FakeClock) -> None:
    @flow(timeout="1m")
    async def slow(ctx: Context) -> None:
        await ctx.sleep("1h")

    run = await timed.start(slow)
    await seen(run, "node.waiting", "sleep#1")
    await pass_time(clock, 60)
    with pytest.raises(RunTimeout):
        await result_of(run)


async def test_the_journal_tells_non_determinism_though_the_flow_catches_everything(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    @step
    async def one() -> int:
        return 1

    @step
    async def held() -> None:
        await gate.wait()

    @flow(name="job")
    async def before(ctx: Context) -> Any:
        await ctx.step(one)
        await ctx.step(held)

    @flow(name="job")
    async def after(ctx: Context) -> Any:
        try:
            await ctx.step(double, 1)
        except Exception:
            return "swallowed"

    url = f"sqlite:///{tmp_path}/runs.db"
    async with Runtime(url) as first:
        run = await first.start(before)
        await seen(run, "node.started", "held#2")
    async with Runtime(url, flows=[after]) as second:
        with pytest.raises(NonDeterminism):
            await result_of(second.get(run.fid))


async def test_a_result_that_cannot_travel_is_the_flow_s_failure(runtime: Runtime) -> None:
    @flow
    async def wrong(ctx: Context) -> Any:
        return object()

    with pytest.raises(RunFailed, match="cannot travel"):
        await result_of(await runtime.start(wrong))


def test_a_flow_is_an_async_function() -> None:
    def plain(ctx: Context) -> None:
        return None

    with pytest.raises(TypeError, match="async def plain"):
        flow(plain)  # type: ignore[arg-type]


def test_the_revision_changes_with_the_code_and_not_with_the_place() -> None:
    def make(text: str) -> Any:
        space: dict[str, Any] = {"flow": flow, "__name__": "m"}
        exec(text, space)
        return space["f"].revision

    one = make("@flow\nasync def f(ctx):\n    return 1\n")
    assert one == make("\n\n# moved\n@flow\nasync def f(ctx):\n    return 1\n")
    assert one != make("@flow\nasync def f(ctx):\n    return 2\n")


async def test_a_cancelled_flow_may_undo_what_it_did_and_is_cancelled_all_the_same(
    runtime: Runtime,
) -> None:
    def undo() -> str:
        return "undone"

    @flow
    async def careful(ctx: Context) -> None:
        try:
            await ctx.sleep("1h")
        finally:
            await ctx.step(undo)

    @flow
    async def stubborn(ctx: Context) -> str:
        try:
            await ctx.sleep("1h")
        except asyncio.CancelledError:
            return str(await ctx.step(undo))
        return "slept"

    for subject in (careful, stubborn):
        run = await runtime.start(subject)
        await seen(run, "node.waiting", "sleep#1")
        await run.cancel("enough")
        with pytest.raises(RunCancelled, match="enough"):
            await result_of(run)
        assert data_of(await story(run), "node.completed", "undo#2")[0]["outputs"] == "undone"
