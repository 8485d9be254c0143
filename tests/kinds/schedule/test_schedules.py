"""What a schedule starts, and when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest
from tests.kinds.conftest import make
from tests.kinds.triggers import FakeTriggerContext, Record, close, stop

from penstock.core.errors import NodeError
from penstock.kinds.schedule.cron import Cron
from penstock.kinds.schedule.interval import Interval
from penstock.kinds.schedule.scheduled import Scheduled
from penstock.testing.clock import FakeClock

NOON = datetime.fromisoformat("2027-01-15T12:00:00+00:00").timestamp()

Open = Callable[..., Any]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON + 600)  # ten past


@pytest.fixture
async def opened(clock: FakeClock) -> AsyncIterator[Open]:
    """Open a trigger: `ctx = await opened(trigger, record=…, response=…)`; it is closed in the end."""
    pairs: list[tuple[Scheduled, FakeTriggerContext]] = []

    async def start(trigger: Scheduled, **options: Any) -> FakeTriggerContext:
        ctx = FakeTriggerContext(clock, **options)
        pairs.append((trigger, ctx))
        await trigger.load()
        await trigger.open(ctx)  # type: ignore[arg-type]
        await clock.scheduled(len(pairs))
        return ctx

    yield start
    for trigger, ctx in pairs:
        await close(trigger, ctx)


def times(ctx: FakeTriggerContext, *, missed: bool | None = None) -> list[str]:
    return [each["time"][11:19] for each in ctx.started if missed in (None, each["missed"])]


async def pass_time(clock: FakeClock, seconds: int) -> None:
    """Let time pass minute by minute, with time for what wakes up to see each of them."""
    for _ in range(seconds // 60):
        clock.advance(60)
        await clock.scheduled()


async def test_a_tick_starts_a_process_with_its_time(clock: FakeClock, opened: Open) -> None:
    ctx = await opened(make(Cron, schedule="@hourly", timezone="Europe/Berlin"))
    assert ctx.started == []
    clock.advance(3000)
    await ctx.until(lambda: bool(ctx.started))
    assert ctx.started == [
        {"time": "2027-01-15T14:00:00+01:00", "timestamp": NOON + 3600, "missed": False}
    ]


async def test_every_tick_of_an_hour_comes_in_its_turn(clock: FakeClock, opened: Open) -> None:
    ctx = await opened(make(Cron, schedule="*/20 * * * *"))
    await pass_time(clock, 3600)
    await ctx.until(lambda: len(ctx.started) == 3)
    assert times(ctx) == ["12:20:00", "12:40:00", "13:00:00"]


async def test_two_runtimes_of_a_store_start_each_tick_once(clock: FakeClock, opened: Open) -> None:
    record = Record()
    first = await opened(make(Cron, schedule="* * * * *"), record=record)
    second = await opened(make(Cron, schedule="* * * * *"), record=record)
    for number in range(1, 11):
        clock.advance(60)
        await clock.scheduled(2)
        assert len(first.started) + len(second.started) == number
    assert sorted(times(first) + times(second)) == [f"12:{minute}:00" for minute in range(11, 21)]


async def test_what_is_not_durable_is_started_by_every_runtime(clock: FakeClock, opened: Open) -> None:
    record = Record()
    both = [
        await opened(make(Interval, every="1m", durable=False), record=record),
        await opened(make(Interval, every="1m", durable=False), record=record),
    ]
    clock.advance(60)
    for ctx in both:
        await ctx.until(lambda ctx=ctx: bool(ctx.started))
    assert [times(ctx) for ctx in both] == [["12:11:00"], ["12:11:00"]]
    assert record.ticks == set()


@pytest.mark.parametrize(
    ("config", "made_up"),
    [
        ({}, []),
        ({"missed": "skip"}, []),
        ({"missed": "once"}, ["12:09:00"]),
        ({"missed": "all"}, ["12:06:00", "12:07:00", "12:08:00", "12:09:00"]),
        ({"missed": "all", "missed_limit": 2}, ["12:08:00", "12:09:00"]),
    ],
)
async def test_ticks_that_nobody_was_there_for_are_made_up_for_as_asked(
    clock: FakeClock, opened: Open, config: dict[str, Any], made_up: list[str]
) -> None:
    ctx = await opened(make(Cron, schedule="* * * * *", **config), record=Record(NOON + 300))
    await ctx.until(lambda: len(ctx.started) == len(made_up) + 1)
    assert times(ctx, missed=True) == made_up
    assert times(ctx, missed=False) == ["12:10:00"]  # this one is just in time
    kept_all = config.get("missed") == "all" and "missed_limit" not in config
    assert bool(ctx.warnings) is not kept_all


async def test_what_was_never_loaded_has_missed_nothing(clock: FakeClock, opened: Open) -> None:
    ctx = await opened(make(Cron, schedule="* * * * *", missed="all"))
    clock.advance(60)
    await ctx.until(lambda: bool(ctx.started))
    assert times(ctx) == ["12:11:00"]


async def test_ticks_are_missed_as_well_while_the_machine_sleeps(clock: FakeClock, opened: Open) -> None:
    ctx = await opened(make(Cron, schedule="* * * * *", missed="once"))
    clock.advance(290)  # 12:14:50
    await ctx.until(lambda: bool(ctx.started))
    assert times(ctx, missed=True) == ["12:14:00"]
    assert ctx.warnings == ["ticks were missed and are left out"]


async def test_a_tick_that_is_a_moment_late_is_not_missed(clock: FakeClock, opened: Open) -> None:
    clock.advance(3)
    ctx = await opened(make(Cron, schedule="* * * * *"), record=Record(NOON + 540))
    await ctx.until(lambda: bool(ctx.started))
    assert times(ctx, missed=False) == ["12:10:00"]


async def test_an_interval_begins_with_its_next_tick(clock: FakeClock, opened: Open) -> None:
    ctx = await opened(make(Interval, every="1h"))
    assert ctx.started == []
    clock.advance(3000)
    await ctx.until(lambda: bool(ctx.started))
    assert times(ctx) == ["13:00:00"]


async def test_immediate_begins_with_the_period_under_way(clock: FakeClock, opened: Open) -> None:
    record = Record()
    interval = {"every": "1h", "immediate": True}
    ctx = await opened(make(Interval, **interval), record=record)
    assert times(ctx, missed=False) == ["12:00:00"]
    clock.advance(60)
    again = await opened(make(Interval, **interval), record=record)
    assert again.started == []  # it was done before the restart


async def test_immediate_leaves_the_older_ticks_to_missed(clock: FakeClock, opened: Open) -> None:
    trigger = make(Interval, every="1h", immediate=True, missed="all")
    ctx = await opened(trigger, record=Record(NOON - 3 * 3600))
    assert times(ctx, missed=True) == ["10:00:00", "11:00:00"]
    assert times(ctx, missed=False) == ["12:00:00"]


async def test_an_overlap_is_left_out_when_it_is_not_wanted(clock: FakeClock, opened: Open) -> None:
    release = asyncio.Event()

    async def work(payload: Any) -> None:
        await release.wait()

    ctx = await opened(make(Interval, every="1m", durable=False, overlap="skip"), response=work)
    clock.advance(60)
    await ctx.until(lambda: bool(ctx.running))
    clock.advance(60)
    await ctx.until(lambda: bool(ctx.warnings))
    assert times(ctx) == ["12:11:00"]
    release.set()
    await ctx.tasks[1]
    clock.advance(60)
    await ctx.until(lambda: len(ctx.started) == 2)
    assert times(ctx) == ["12:11:00", "12:13:00"]


async def test_a_store_that_is_away_makes_a_tick_late_not_lost(clock: FakeClock, opened: Open) -> None:
    record = Record()
    ctx = await opened(make(Cron, schedule="* * * * *"), record=record)
    record.refuses = 2
    clock.advance(60)
    await ctx.until(lambda: len(ctx.warnings) == 1)
    clock.advance(1)
    await ctx.until(lambda: len(ctx.warnings) == 2)
    assert ctx.warnings == ["a tick is not recorded yet: the database is away"] * 2
    clock.advance(1)
    await ctx.until(lambda: bool(ctx.started))
    assert times(ctx, missed=False) == ["12:11:00"]


async def test_a_failed_process_does_not_end_the_schedule(clock: FakeClock, opened: Open) -> None:
    async def fail(payload: Any) -> None:
        raise NodeError("no")

    ctx = await opened(make(Interval, every="1m", durable=False), response=fail)
    for number in (1, 2):
        clock.advance(60)
        await ctx.until(lambda number=number: len(ctx.started) == number)
    assert not ctx.tasks[0].done()


async def test_closing_waits_for_what_was_started_and_starts_nothing_more(clock: FakeClock) -> None:
    entered, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(payload: Any) -> None:
        entered.set()
        await release.wait()
        ended.set()

    trigger, ctx = make(Interval, every="1m", durable=False), FakeTriggerContext(clock, response=work)
    await trigger.open(ctx)
    await clock.scheduled()
    clock.advance(60)
    await entered.wait()
    closing = asyncio.create_task(stop(trigger))
    clock.advance(60)
    release.set()
    await closing
    assert ended.is_set()
    assert times(ctx) == ["12:11:00"]
    await ctx.end()


async def test_closing_does_not_wait_longer_than_it_is_told(clock: FakeClock) -> None:
    entered = asyncio.Event()

    async def work(payload: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    trigger = make(Interval, every="1m", durable=False, drain="1ms")
    ctx = FakeTriggerContext(clock, response=work)
    await trigger.open(ctx)
    await clock.scheduled()
    clock.advance(60)
    await entered.wait()
    await stop(trigger)
    assert ctx.running == 1  # the runtime cancels it next
    await ctx.end()


async def test_a_run_that_is_being_recorded_is_recorded_before_the_end(clock: FakeClock) -> None:
    trigger, ctx = make(Cron, schedule="* * * * *"), FakeTriggerContext(clock)
    ctx.recording = asyncio.Event()
    await trigger.open(ctx)
    await clock.scheduled()
    clock.advance(60)
    await asyncio.sleep(0)
    closing = asyncio.create_task(stop(trigger))
    await asyncio.sleep(0)
    ctx.recording.set()
    await closing
    assert times(ctx) == ["12:11:00"]
    await ctx.end()


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        (make(Cron, cron="@daily", timezone="Europe/Rome"), "@daily (Europe/Rome)"),
        (make(Interval, every="90s"), "every 1m30s"),
    ],
)
def test_a_schedule_says_for_people_when_it_is(trigger: Scheduled, said: str) -> None:
    assert trigger.describe() == said
