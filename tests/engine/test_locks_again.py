"""Locks of runs that go on: after a restart of the runtime, out of memory, and in another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.locking import answered, lock_of, put_aside, submitted, waits
from tests.engine.watching import data_of, lines, pass_time, recorded, result_of, seen, story, until

from penstock import Candidate, Context, Denied, Runtime, flow, node, step
from penstock.core.errors import CandidateInvalid, LockClosed, LockUndecided, RunSuspended
from penstock.core.locks import Decision
from penstock.core.states import RunState
from penstock.testing.clock import FakeClock

DAY = 86400.0


class Desk:
    """What the checks of this file do: they can be held up, and are counted."""

    def __init__(self) -> None:
        self.looked: list[Any] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, candidate: Candidate) -> None:
        self.looked.append(candidate.value)
        await self.open.wait()
        if candidate.value == "bad":
            raise Denied("bad")


DESKS: list[Desk] = []
"""The desk of the test that runs; a Python flow has no other way to it than the module."""


@pytest.fixture
def desk() -> Desk:
    DESKS[:] = [Desk()]
    return DESKS[0]


@step
async def count(number: int) -> int:
    return number + 1


@flow
async def asking(ctx: Context) -> Any:
    before = await ctx.step(count, 1)
    answer = await ctx.lock("ask", candidate_timeout="2d", check=DESKS[0])
    return [before, answer, await ctx.step(count, before)]


@pytest.fixture
def runtimes(url: str, clock: FakeClock) -> Any:
    """Makes runtimes over one store."""

    def make(**options: Any) -> Runtime:
        return Runtime(url, flows=[asking], clock=clock, **options)

    return make


@pytest.fixture
async def first(runtimes: Any, desk: Desk) -> AsyncIterator[Runtime]:
    async with runtimes() as runtime:
        yield runtime


async def test_a_lock_survives_a_restart(runtimes: Any, desk: Desk) -> None:
    async with runtimes() as runtime:
        run = await runtime.start(asking)
        before = await lock_of(runtime, run)
        assert not (await submitted(runtime, run, before, "bad")).released
        before = await lock_of(runtime, run)
    async with runtimes() as runtime:
        run = runtime.get(run.fid)
        assert await lock_of(runtime, run) == before
        assert (await submitted(runtime, run, before, "good")).released
        assert await result_of(run) == [2, "good", 3]
        assert desk.looked == ["bad", "good"]
        assert len(data_of(await story(run), "lock.opened", "ask#2")) == 1


async def test_a_candidate_that_was_not_decided_is_decided_after_the_restart(
    runtimes: Any, desk: Desk
) -> None:
    desk.open.clear()
    async with runtimes() as runtime:
        run = await runtime.start(asking)
        lock = await lock_of(runtime, run)
        waiting = asyncio.create_task(runtime.submit(run.fid, lock.lid, "x", id="x"), name="x")
        await until(lambda: desk.looked)
        await recorded(runtime, run)
    with pytest.raises(RunSuspended):
        await waiting
    desk.open.set()
    async with runtimes() as runtime:
        run = runtime.get(run.fid)
        assert await submitted(runtime, run, lock, "x", id="x") == Decision("released", value="x")
        assert await result_of(run) == [2, "x", 3]
    assert desk.looked == ["x", "x"]


async def test_who_asks_again_after_the_restart_gets_the_old_answer(runtimes: Any, desk: Desk) -> None:
    async with runtimes() as runtime:
        run = await runtime.start(asking)
        lock = await lock_of(runtime, run)
        await submitted(runtime, run, lock, "bad", id="b")
        await submitted(runtime, run, lock, "good", id="g")
        await result_of(run)
    async with runtimes() as runtime:
        run = runtime.get(run.fid)
        assert not (await submitted(runtime, run, lock, "bad", id="b")).released
        assert (await submitted(runtime, run, lock, "good", id="g")).released
        with pytest.raises(LockClosed):
            await submitted(runtime, run, lock, "good", id="other")


async def test_the_time_of_a_lock_goes_on_while_nothing_runs(
    runtimes: Any, desk: Desk, clock: FakeClock
) -> None:
    async with runtimes() as runtime:
        run = await runtime.start(asking)
        await seen(run, "run.waiting")
    clock.advance(3 * DAY)
    async with runtimes() as runtime:
        with pytest.raises(Exception, match="in time"):
            await result_of(runtime.get(run.fid))


async def test_a_run_at_a_lock_leaves_memory_and_expires_all_the_same(
    first: Runtime, clock: FakeClock
) -> None:
    run = await first.start(asking)
    await seen(run, "run.waiting")
    await put_aside(first, clock)
    clock.advance(2 * DAY)
    with pytest.raises(Exception, match="in time"):
        await result_of(run)


async def test_two_candidates_at_once_bring_a_run_back_once(
    first: Runtime, clock: FakeClock, desk: Desk
) -> None:
    run = await first.start(asking)
    lock = await lock_of(first, run)
    await seen(run, "run.waiting")
    await put_aside(first, clock)
    found = await asyncio.gather(
        *(first.submit(run.fid, lock.lid, number) for number in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, Decision) for each in found) == 1
    assert sum(isinstance(each, LockClosed) for each in found) == 4
    await result_of(run)
    assert data_of(await story(run), "run.resumed") == [{"reason": "candidate"}]


async def test_a_candidate_in_the_moment_in_which_a_run_leaves_memory_is_not_lost(
    first: Runtime, clock: FakeClock
) -> None:
    run = await first.start(asking)
    lock = await lock_of(first, run)
    await seen(run, "run.waiting")
    clock.advance(first.evict_after)  # it is told to leave, and has not left
    assert (await submitted(first, run, lock, "yes")).released
    assert await result_of(run) == [2, "yes", 3]


async def test_a_candidate_in_the_moment_before_a_run_leaves_memory_keeps_it(
    first: Runtime, clock: FakeClock
) -> None:
    run = await first.start(asking)
    lock = await lock_of(first, run)
    await seen(run, "run.waiting")
    waiting = asyncio.create_task(first.submit(run.fid, lock.lid, "yes"), name="yes")
    await until(lambda: (found := first._executions[run.fid].locks.find(lock.lid)) and found.candidates)
    clock.advance(first.evict_after)
    assert (await waiting).released
    assert await result_of(run) == [2, "yes", 3]
    assert data_of(await story(run), "run.resumed") == [{"reason": "candidate"}]


async def test_another_runtime_brings_its_candidate_to_the_one_that_executes_the_run(
    first: Runtime, runtimes: Any
) -> None:
    run = await first.start(asking)
    lock = await lock_of(first, run)
    await seen(run, "run.waiting")
    async with runtimes(recover=False) as other:
        assert await submitted(other, run, lock, "bad", by="ada") == Decision(
            "denied", (await lock_of(first, run)).candidates[0].reasons
        )
        with pytest.raises(LockClosed):
            await asyncio.gather(
                submitted(other, run, lock, "one"),
                submitted(other, run, lock, "two"),
                submitted(first, run, lock, "three"),
            )
    await result_of(run)
    (denied, *_) = data_of(await story(run), "lock.candidate", "ask#2")
    assert denied["by"] == "ada"


async def test_a_runtime_brings_back_what_it_has_aside_for_another_ones_candidate(
    first: Runtime, runtimes: Any, clock: FakeClock
) -> None:
    run = await first.start(asking)
    lock = await lock_of(first, run)
    await seen(run, "run.waiting")
    await put_aside(first, clock)
    async with runtimes(recover=False) as other:
        assert (await submitted(other, run, lock, "yes")).released
    assert await result_of(run) == [2, "yes", 3]


async def test_a_run_that_nobody_executes_is_claimed_for_a_candidate(runtimes: Any, desk: Desk) -> None:
    async with runtimes() as runtime:
        run = await runtime.start(asking)
        lock = await lock_of(runtime, run)
    async with runtimes(recover=False) as runtime:
        run = runtime.get(run.fid)
        assert not (await submitted(runtime, run, lock, "bad")).released
        assert (await submitted(runtime, run, lock, "good")).released
        assert await result_of(run) == [2, "good", 3]


async def test_a_candidate_that_does_not_fit_is_refused_wherever_the_run_is(
    url: str, clock: FakeClock
) -> None:
    text = "{flow: f, nodes: [{kind: lock, name: ask, schema: {type: integer}}]}"
    async with Runtime(url, clock=clock) as runtime:
        run = await runtime.start(graph(text))
        lock = await lock_of(runtime, run)
        await seen(run, "run.waiting")
        await put_aside(runtime, clock)
        with pytest.raises(CandidateInvalid):
            await submitted(runtime, run, lock, "three")
        assert runtime.resident == 0, "and the run is not brought back for it"


async def test_a_candidate_for_a_run_that_cannot_go_on_here_says_why(
    url: str, clock: FakeClock, desk: Desk
) -> None:
    async with Runtime(url, flows=[asking], clock=clock) as runtime:
        run = await runtime.start(asking)
        lock = await lock_of(runtime, run)

    @node("other")
    async def other(value: Any = None) -> Any:
        return value

    text = "{flow: g, nodes: [{kind: lock, name: ask, links: {out: o}}, {kind: other, name: o}]}"
    async with Runtime(url, scheme=scheme_with(other), clock=clock) as runtime:
        strange = await runtime.start(graph(text, other))
        ask = await lock_of(runtime, strange)
    async with Runtime(url, clock=clock, recover=False) as runtime:
        with pytest.raises(Exception, match="`other`"):
            await submitted(runtime, strange, ask, 1)
        assert (await lock_of(runtime, strange)).candidates == []
        assert (await submitted(runtime, run, lock, "yes")).released


@flow
async def checking(ctx: Context) -> Any:
    async def check(candidate: Candidate) -> Any:
        found = await ctx.step(count, candidate.value)
        await ctx.sleep("1d")
        return await ctx.step(count, found)

    return await ctx.lock("ask", schema=int, release_timeout=None, check=check)


async def test_a_check_that_waits_for_a_day_goes_on_where_it_was(url: str, clock: FakeClock) -> None:
    async with Runtime(url, flows=[checking], clock=clock) as runtime:
        run = await runtime.start(checking)
        lock = await lock_of(runtime, run)
        waiting = asyncio.create_task(runtime.submit(run.fid, lock.lid, 1, id="one"), name="one")
        await seen(run, "node.waiting", "sleep#1.0.2")
        await waits(run, 2)
        await put_aside(runtime, clock)
        clock.advance(DAY)
        assert await waiting == Decision("released", value=3)
        assert await result_of(run) == 3
        events = await story(run)
    assert lines(events, "node.completed") == [
        "node.completed count#1.0.1",
        "node.completed sleep#1.0.2",
        "node.completed count#1.0.3",
        "node.completed ask#1",
    ]


async def test_a_flow_that_left_a_lock_leaves_it_again_on_a_replay(url: str, clock: FakeClock) -> None:
    async with Runtime(url, flows=[leaving], clock=clock) as runtime:
        run = await runtime.start(leaving)
        await waits(run)
        await put_aside(runtime, clock)
        clock.advance(DAY)
        assert await result_of(run) == "left"
        assert len(data_of(await story(run), "lock.opened", "beside#1")) == 1


@step(blocking=False)
def fail() -> None:
    raise ValueError("no")


@flow
async def leaving(ctx: Context) -> str:
    try:
        await ctx.gather(ctx.lock("beside"), ctx.step(fail))
    except Exception:
        await ctx.sleep("1d")
    return "left"


async def test_secrets_in_candidates_and_reasons_are_masked(timed: Runtime) -> None:
    text = """
    flow: f
    env: {TOKEN: {name: token, data: "{{ .value }}"}}
    nodes:
      - {kind: lock, name: ask, title: "for {{ TOKEN }}", links: {candidate: no}}
      - {kind: throw, name: no, code: denied, message: "not {{ TOKEN }}"}
    """
    run = await timed.start(graph(text, values={"token": {"value": "hunter2-and-more"}}))
    decision = await answered(timed, run, {"mine": "hunter2-and-more"})
    assert decision.reasons[0].detail == "not •••"
    (lock,) = await timed.locks(run.fid)
    assert lock.title == "for •••"
    assert lock.candidates[0].value == {"mine": "•••"}
    assert "hunter2" not in repr(await timed.store.events(run.fid))
    await run.cancel()


async def test_a_secret_that_a_lock_is_named_by_does_not_lose_the_lock(
    url: str, clock: FakeClock
) -> None:
    text = """
    flow: f
    env: {WORD: {name: word, data: "{{ .value }}"}}
    nodes: [{kind: lock, name: approve, description: "say {{ WORD }}"}]
    """
    values = {"word": {"value": "approve"}}
    flow_of_secrets = graph(text, values=values)
    async with Runtime(url, values=values, clock=clock) as runtime:
        run = await runtime.start(flow_of_secrets)
        lock = await lock_of(runtime, run)
        assert (lock.name, lock.title, lock.description) == ("approve", "•••", "say •••")
        await waits(run)
    async with Runtime(url, values=values, clock=clock) as runtime:
        run = runtime.get(run.fid)
        assert (await submitted(runtime, run, lock, 1, by="approve")).released
        assert data_of(await story(run), "lock.released", "approve")[0]["by"] == "approve"


async def test_retrying_a_run_keeps_the_answers_that_were_given(timed: Runtime) -> None:
    seen_by: list[Any] = []

    @node("picky")
    async def picky(value: Any) -> Any:
        seen_by.append(value)
        if len(seen_by) == 1:
            raise ValueError("the first time")
        return value

    text = "{flow: f, nodes: [{kind: lock, name: ask, links: {out: p}}, {kind: picky, name: p}]}"
    run = await timed.start(graph(text, picky))
    await answered(timed, run, "given")
    with pytest.raises(Exception, match="the first time"):
        await result_of(run)
    again = await timed.retry(run.fid)
    assert await result_of(again) == "given"
    assert await timed.locks(again.fid) == []


async def test_a_store_that_goes_away_does_not_lose_who_submits(first: Runtime, desk: Desk) -> None:
    run = await first.start(asking)
    lock = await lock_of(first, run)
    desk.open.clear()
    waiting = asyncio.create_task(first.submit(run.fid, lock.lid, "slow", id="s"), name="s")
    await until(lambda: desk.looked)
    await pass_time(first.clock, 60)  # type: ignore[arg-type]
    with pytest.raises(LockUndecided):
        await waiting
    assert (await run.row()).state is RunState.RUNNING
    desk.open.set()
    assert (await submitted(first, run, lock, "slow", id="s")).released
