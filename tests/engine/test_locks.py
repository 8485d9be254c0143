"""Locks of Python flows: how they open, who decides, and how they end."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
import pytest
from tests.engine.locking import answered, lock_of, opened, put_aside, submitted, waits
from tests.engine.watching import data_of, lines, pass_time, result_of, seen, story, until

from penstock import Candidate, Context, Denied, LockExpired, Reason, Runtime, flow, step
from penstock.core.errors import (
    CandidateInvalid,
    LockClosed,
    LockNotFound,
    LockUndecided,
    RunFailed,
    RunNotFound,
)
from penstock.core.locks import Decision, LockState
from penstock.core.record import NodeState, RunRecord
from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from penstock.engine.run import Run

DAY = 86400.0


@dataclasses.dataclass
class Verdict:
    approved: bool
    note: str = ""


def refuse_without_note(candidate: Candidate) -> None:
    if not candidate.value.note:
        raise Denied("say why", pointer="/note")


@flow
async def review(ctx: Context, document: str = "…") -> Any:
    return await ctx.lock(
        "approve",
        schema=Verdict,
        data={"document": document},
        title="Approve it?",
        description="It is about money.",
        candidate_timeout="2d",
        check=refuse_without_note,
    )


@flow
async def simple(ctx: Context) -> Any:
    return await ctx.lock("simple")


# --- opening ------------------------------------------------------------------------


async def test_a_lock_tells_what_it_asks_for(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.start(review, document="report")
    lock = await lock_of(timed, run)
    assert (lock.name, lock.node, lock.state) == ("approve", "approve#1", LockState.OPEN)
    assert (lock.title, lock.description) == ("Approve it?", "It is about money.")
    assert lock.data == {"document": "report"}
    assert lock.schema is not None
    assert lock.schema["required"] == ["approved"]
    assert (lock.opened, lock.expires) == (clock.now(), clock.now() + 2 * DAY)
    assert lock.release_timeout == 60


async def test_the_id_of_a_lock_can_stand_in_an_address_and_on_a_command_line(timed: Runtime) -> None:
    lock = await lock_of(timed, await timed.start(simple))
    assert len(lock.lid) == 12
    assert lock.lid.isalnum()
    assert lock.lid == lock.lid.lower()


async def test_a_run_at_a_lock_waits_without_an_end(timed: Runtime) -> None:
    run = await timed.start(simple)
    assert (await seen(run, "run.waiting")).data == {"until": None}
    row = await run.row()
    assert (row.state, row.wake_at, row.locks) == (RunState.WAITING, None, 1)


async def test_a_lock_that_is_open_shows_in_the_record_of_its_run(timed: Runtime) -> None:
    run = await timed.start(review)
    await seen(run, "run.waiting")
    record = RunRecord.fold(await timed.store.events(run.fid))
    assert [lock.name for lock in record.open_locks] == ["approve"]
    node = record.nodes["approve#1"]
    assert (node.kind, node.state) == ("lock", NodeState.WAITING)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "a#1", "é"])
async def test_a_lock_needs_a_name_that_can_stand_in_a_path(timed: Runtime, name: str) -> None:
    @flow
    async def named(ctx: Context) -> Any:
        return await ctx.lock(name)

    run = await timed.start(named)
    with pytest.raises(RunFailed, match="cannot name a lock"):
        await result_of(run)


@pytest.mark.parametrize(
    "schema", [{"type": "texture"}, {"$ref": "https://example.org/schema"}, {"pattern": "("}]
)
async def test_a_schema_that_is_none_fails_the_flow(timed: Runtime, schema: dict[str, Any]) -> None:
    @flow
    async def odd(ctx: Context) -> Any:
        return await ctx.lock("odd", schema=schema)

    with pytest.raises(RunFailed, match="no JSON Schema"):
        await result_of(await timed.start(odd))


# --- releasing and denying ------------------------------------------------------------


async def test_a_candidate_that_the_flow_accepts_releases_the_lock(timed: Runtime) -> None:
    run = await timed.start(review)
    decision = await answered(timed, run, {"approved": True, "note": "fine"})
    assert decision == Decision("released", value={"approved": True, "note": "fine"})
    assert await result_of(run) == {"approved": True, "note": "fine"}
    assert lines(await story(run), "lock.", "node.") == [
        "node.started approve#1",
        "lock.opened approve#1",
        "lock.candidate approve#1",
        "lock.released approve#1",
        "node.completed approve#1",
    ]


async def test_a_denied_candidate_keeps_the_lock_open(timed: Runtime) -> None:
    run = await timed.start(review)
    denied = await answered(timed, run, {"approved": True})
    assert denied == Decision("denied", (Reason("say why", "/note"),))
    lock = await lock_of(timed, run)
    assert [(each.outcome, each.reasons) for each in lock.candidates] == [
        ("denied", (Reason("say why", "/note"),))
    ]
    assert (await answered(timed, run, {"approved": False, "note": "no"})).released


async def test_a_run_goes_back_to_waiting_after_a_denial(timed: Runtime) -> None:
    run = await timed.start(review)
    await seen(run, "run.waiting")
    await answered(timed, run, {"approved": True})
    await waits(run, 2)
    assert lines(await timed.store.events(run.fid), "run.", "lock.") == [
        "run.started",
        "lock.opened approve#1",
        "run.waiting",
        "run.resumed",
        "lock.candidate approve#1",
        "lock.denied approve#1",
        "run.waiting",
    ]


async def test_a_candidate_that_does_not_fit_the_schema_is_no_candidate(timed: Runtime) -> None:
    run = await timed.start(review)
    lock = await lock_of(timed, run)
    with pytest.raises(CandidateInvalid) as caught:
        await submitted(timed, run, lock, {"approved": "yes", "note": 3})
    assert {reason.pointer for reason in caught.value.reasons} == {"/approved", "/note"}
    assert (await lock_of(timed, run)).candidates == []


async def test_without_a_schema_anything_releases(timed: Runtime) -> None:
    run = await timed.start(simple)
    assert (await answered(timed, run, [1, None, {"a": "b"}])).released
    assert await result_of(run) == [1, None, {"a": "b"}]


class Typed(TypedDict):
    number: int


class Structured(msgspec.Struct):
    number: int
    label: str = "none"


@pytest.mark.parametrize(
    ("schema", "candidate", "answer"),
    [
        (str, "text", "text"),
        (int, 3, 3),
        (list[int], [1, 2], [1, 2]),
        (Typed, {"number": 1}, {"number": 1}),
        (Structured, {"number": 1}, Structured(1)),
        (Verdict, {"approved": True}, Verdict(approved=True)),
        ({"type": "boolean"}, False, False),
    ],
)
async def test_an_answer_is_of_the_type_that_was_asked_for(
    timed: Runtime, schema: Any, candidate: Any, answer: Any
) -> None:
    got = []

    @flow
    async def typed(ctx: Context) -> None:
        got.append(await ctx.lock("typed", schema=schema))

    run = await timed.start(typed)
    await answered(timed, run, candidate)
    await result_of(run)
    assert got == [answer]


class Even(msgspec.Struct):
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("an even number, please")


async def test_what_a_type_refuses_beyond_its_schema_is_denied(timed: Runtime) -> None:
    @flow
    async def even(ctx: Context) -> Any:
        return await ctx.lock("even", schema=Even)

    run = await timed.start(even)
    denied = await answered(timed, run, {"number": 3})
    assert "an even number" in denied.reasons[0].detail
    assert (await answered(timed, run, {"number": 4})).released


async def test_the_answer_may_be_another_than_the_candidate(timed: Runtime) -> None:
    async def rounded(candidate: Candidate) -> int:
        return round(candidate.value)

    @flow
    async def number(ctx: Context) -> Any:
        return await ctx.lock("number", schema=float, check=rounded)

    run = await timed.start(number)
    assert await answered(timed, run, 2.7) == Decision("released", value=3)


async def test_a_check_knows_who_submitted(timed: Runtime) -> None:
    def not_ada(candidate: Candidate) -> None:
        if candidate.by == "ada":
            raise Denied("somebody else must approve it")

    @flow
    async def four_eyes(ctx: Context) -> Any:
        return await ctx.lock("approve", check=not_ada)

    run = await timed.start(four_eyes)
    lock = await lock_of(timed, run)
    assert not (await submitted(timed, run, lock, True, by="ada")).released
    assert (await submitted(timed, run, lock, True, by="bob")).released
    assert data_of(await story(run), "lock.released", "approve#1")[0]["by"] == "bob"


async def test_a_check_may_give_several_reasons(timed: Runtime) -> None:
    def strict(_: Candidate) -> None:
        raise Denied(Reason("too short", "/name"), Reason("in the past", "/due"), "and unfriendly")

    @flow
    async def picky(ctx: Context) -> Any:
        return await ctx.lock("picky", check=strict)

    decision = await answered(timed, await timed.start(picky), {})
    assert decision.reasons == (
        Reason("too short", "/name"),
        Reason("in the past", "/due"),
        Reason("and unfriendly"),
    )


async def test_a_check_that_fails_fails_the_flow_and_closes_the_lock(timed: Runtime) -> None:
    def broken(_: Candidate) -> None:
        raise RuntimeError("the checker is broken")

    @flow
    async def failing(ctx: Context) -> Any:
        return await ctx.lock("failing", check=broken)

    run = await timed.start(failing)
    with pytest.raises(LockClosed):
        await answered(timed, run, 1)
    with pytest.raises(RunFailed, match="the checker is broken"):
        await result_of(run)
    assert data_of(await story(run), "lock.expired", "failing#1")[0]["reason"] == "closed"


async def test_a_check_may_make_steps_which_have_places_of_their_own(timed: Runtime) -> None:
    @step
    async def look_up(number: int) -> int:
        return number % 10

    async def known(candidate: Candidate) -> int:
        digit: int = await contexts[0].step(look_up, candidate.value)
        if digit:
            raise Denied("must end in 0")
        return digit

    contexts: list[Context] = []

    @flow
    async def looked_up(ctx: Context) -> Any:
        contexts.append(ctx)
        await ctx.lock("number", schema=int, check=known)
        return await ctx.step(look_up, 7)

    run = await timed.start(looked_up)
    assert not (await answered(timed, run, 11)).released
    assert (await answered(timed, run, 20)).released
    assert await result_of(run) == 7
    assert lines(await story(run), "node.completed") == [
        "node.completed look_up#1.0.1",
        "node.completed look_up#1.1.1",
        "node.completed number#1",
        "node.completed look_up#2",
    ]


async def test_a_check_may_ask_somebody_else(timed: Runtime) -> None:
    async def escalated(candidate: Candidate) -> Any:
        if candidate.value < 100:
            return candidate.value
        return await contexts[0].lock("boss", schema=int)

    contexts: list[Context] = []

    @flow
    async def spending(ctx: Context) -> Any:
        contexts.append(ctx)
        return await ctx.lock("clerk", schema=int, release_timeout=None, check=escalated)

    run = await timed.start(spending)
    clerk = await lock_of(timed, run, "clerk")
    waiting = asyncio.create_task(submitted(timed, run, clerk, 500), name="clerk")
    await answered(timed, run, 400, "boss")
    assert await waiting == Decision("released", value=400)
    assert await result_of(run) == 400


# --- several ------------------------------------------------------------------------


async def test_several_locks_are_open_at_once(timed: Runtime) -> None:
    @flow
    async def both(ctx: Context) -> Any:
        return await ctx.gather(ctx.lock("left"), ctx.lock("right"))

    run = await timed.start(both)
    left, right = await opened(timed, run, count=2)
    assert (await run.row()).locks == 2
    assert (left.node, right.node) == ("left#1", "right#2")
    await submitted(timed, run, right, "r")
    assert (await run.row()).locks == 1
    await submitted(timed, run, left, "l")
    assert await result_of(run) == ["l", "r"]
    assert (await run.row()).locks == 0


async def test_a_lock_in_a_loop_is_another_one_each_time(timed: Runtime) -> None:
    @flow
    async def three(ctx: Context) -> Any:
        return [await ctx.lock("again") for _ in range(3)]

    run = await timed.start(three)
    lids = []
    for number in range(3):
        lock = await lock_of(timed, run)
        lids.append(lock.lid)
        await submitted(timed, run, lock, number)
    assert await result_of(run) == [0, 1, 2]
    assert len(set(lids)) == 3


async def test_a_lock_of_a_called_flow_is_listed_on_the_run_that_called_it(timed: Runtime) -> None:
    @flow
    async def outer(ctx: Context) -> Any:
        return await ctx.call(simple)

    run = await timed.start(outer)
    lock = await lock_of(timed, run)
    assert lock.node == "simple#1/simple#1"
    await submitted(timed, run, lock, "inside")
    assert await result_of(run) == "inside"


async def test_the_inbox_lists_the_open_locks_of_all_runs(timed: Runtime, clock: FakeClock) -> None:
    first = await timed.start(review)
    clock.advance(1)
    second = await timed.start(simple)
    await seen(first, "run.waiting")
    await seen(second, "run.waiting")
    found = await timed.open_locks()
    assert [(row.fid, lock.name) for row, lock in found] == [
        (second.fid, "simple"),
        (first.fid, "approve"),
    ]
    assert [lock.name for _, lock in await timed.open_locks(RunQuery(flow="review"))] == ["approve"]
    await answered(timed, first, {"approved": True, "note": "yes"})
    await result_of(first)
    assert [lock.name for _, lock in await timed.open_locks()] == ["simple"]


# --- time ---------------------------------------------------------------------------


async def test_a_lock_that_nobody_answers_expires(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.start(review)
    lock = await lock_of(timed, run)
    await seen(run, "run.waiting")
    clock.advance(2 * DAY)
    with pytest.raises(RunFailed) as caught:
        await result_of(run)
    assert caught.value.error.code == "lock.expired"
    assert data_of(await story(run), "lock.expired", "approve#1") == [
        {"lock": lock.lid, "reason": "timeout"}
    ]
    with pytest.raises(LockClosed, match="expired"):
        await submitted(timed, run, lock, {"approved": True, "note": "late"})


async def test_a_flow_can_catch_that_a_lock_expired(timed: Runtime, clock: FakeClock) -> None:
    @flow
    async def patient(ctx: Context) -> str:
        try:
            await ctx.lock("late", candidate_timeout="1h")
        except LockExpired:
            return "went on without"
        return "answered"

    run = await timed.start(patient)
    await seen(run, "run.waiting")
    clock.advance(3600)
    assert await result_of(run) == "went on without"


async def test_a_denial_does_not_give_more_time(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.start(review)
    await lock_of(timed, run)
    await pass_time(clock, DAY)
    await answered(timed, run, {"approved": True})
    await pass_time(clock, DAY)
    with pytest.raises(RunFailed):
        await result_of(run)


class Gate:
    """A check that decides when it is told to."""

    def __init__(self) -> None:
        self.looked: list[Any] = []
        self.open = asyncio.Event()

    async def __call__(self, candidate: Candidate) -> None:
        self.looked.append(candidate.value)
        await self.open.wait()
        if candidate.value == "bad":
            raise Denied("bad")


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def gated(timed: Runtime, gate: Gate) -> Run:
    @flow
    async def guarded(ctx: Context) -> Any:
        return await ctx.lock("guarded", candidate_timeout="1h", check=gate)

    return await timed.start(guarded)


async def test_who_submits_waits_no_longer_than_the_release_timeout(
    timed: Runtime, clock: FakeClock, gate: Gate, gated: Run
) -> None:
    lock = await lock_of(timed, gated)
    waiting = asyncio.create_task(submitted(timed, gated, lock, "slow", id="one"), name="slow")
    await until(lambda: gate.looked)
    await pass_time(clock, 60)
    with pytest.raises(LockUndecided, match="within 60 s"):
        await waiting
    assert (await lock_of(timed, gated)).undecided()[0].value == "slow"
    gate.open.set()
    assert (await submitted(timed, gated, lock, "slow", id="one")).released


async def test_a_candidate_under_decision_when_the_time_is_over_is_still_decided(
    timed: Runtime, clock: FakeClock, gate: Gate, gated: Run
) -> None:
    lock = await lock_of(timed, gated)
    waiting = asyncio.create_task(timed.submit(gated.fid, lock.lid, "in time"), name="in time")
    await until(lambda: gate.looked)
    await pass_time(clock, 30)
    clock.advance(3600)
    gate.open.set()
    await asyncio.wait([waiting])
    assert await result_of(gated) == "in time"


async def test_a_denial_after_the_time_is_over_lets_the_lock_expire(
    timed: Runtime, clock: FakeClock, gate: Gate, gated: Run
) -> None:
    lock = await lock_of(timed, gated)
    waiting = asyncio.create_task(timed.submit(gated.fid, lock.lid, "bad"), name="bad")
    await until(lambda: gate.looked)
    clock.advance(3600)
    gate.open.set()
    await asyncio.wait([waiting])
    with pytest.raises(RunFailed):
        await result_of(gated)
    assert lines(await story(gated), "lock.") == [
        "lock.opened guarded#1",
        "lock.candidate guarded#1",
        "lock.denied guarded#1",
        "lock.expired guarded#1",
    ]


# --- twice, and at once ---------------------------------------------------------------


async def test_of_two_people_at_one_lock_exactly_one_releases_it(timed: Runtime) -> None:
    run = await timed.start(simple)
    lock = await lock_of(timed, run)
    found = await asyncio.gather(
        *(timed.submit(run.fid, lock.lid, number) for number in range(8)), return_exceptions=True
    )
    released = [each for each in found if isinstance(each, Decision)]
    assert released == [Decision("released", value=0)]
    assert sum(isinstance(each, LockClosed) for each in found) == 7
    assert len(data_of(await story(run), "lock.released", "simple#1")) == 1


async def test_candidates_are_decided_in_the_order_they_come(
    timed: Runtime, gate: Gate, gated: Run
) -> None:
    lock = await lock_of(timed, gated)
    tasks = [
        asyncio.create_task(timed.submit(gated.fid, lock.lid, value), name=value)
        for value in ("bad", "good", "late")
    ]
    await until(lambda: gate.looked)
    gate.open.set()
    bad, good, late = await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.looked == ["bad", "good"]
    assert isinstance(bad, Decision)
    assert not bad.released
    assert good == Decision("released", value="good")
    assert isinstance(late, LockClosed)


async def test_the_same_candidate_again_gets_the_same_answer(timed: Runtime) -> None:
    run = await timed.start(review)
    lock = await lock_of(timed, run)
    value = {"approved": True}
    first = await submitted(timed, run, lock, value, id="mine")
    assert await submitted(timed, run, lock, value, id="mine") == first
    good = {"approved": True, "note": "yes"}
    released = await submitted(timed, run, lock, good, id="better")
    await result_of(run)
    assert await submitted(timed, run, lock, good, id="better") == released
    assert await submitted(timed, run, lock, value, id="mine") == first
    assert len(data_of(await story(run), "lock.candidate", "approve#1")) == 2


async def test_a_candidate_that_came_too_late_is_too_late_again(timed: Runtime) -> None:
    @flow
    async def two(ctx: Context) -> Any:
        return await ctx.gather(ctx.lock("one"), ctx.lock("other"))

    run = await timed.start(two)
    lock = await lock_of(timed, run, "one")
    both = [
        timed.submit(run.fid, lock.lid, 1, id="first"),
        timed.submit(run.fid, lock.lid, 2, id="late"),
    ]
    _, late = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(late, LockClosed)
    with pytest.raises(LockClosed):
        await submitted(timed, run, lock, 2, id="late")


async def test_the_same_candidate_twice_at_once_is_one(timed: Runtime, gate: Gate, gated: Run) -> None:
    lock = await lock_of(timed, gated)
    both = [
        asyncio.create_task(timed.submit(gated.fid, lock.lid, "x", id="x"), name="x") for _ in range(2)
    ]
    await until(lambda: gate.looked)
    gate.open.set()
    assert await asyncio.gather(*both) == [Decision("released", value="x")] * 2
    assert gate.looked == ["x"]


async def test_an_id_that_another_candidate_has_is_refused(timed: Runtime) -> None:
    run = await timed.start(review)
    lock = await lock_of(timed, run)
    await submitted(timed, run, lock, {"approved": True}, id="mine")
    with pytest.raises(CandidateInvalid, match="another candidate has the id `mine`"):
        await submitted(timed, run, lock, {"approved": False}, id="mine")


async def test_a_flow_that_decides_nothing_is_brought_no_more(
    timed: Runtime, gate: Gate, gated: Run
) -> None:
    lock = await lock_of(timed, gated)
    waiting = [
        asyncio.create_task(timed.submit(gated.fid, lock.lid, number), name=str(number))
        for number in range(32)
    ]
    await until(lambda: gate.looked)
    async with asyncio.timeout(5):
        while len((await lock_of(timed, gated)).undecided()) < 32:
            await timed.store.changed(gated.fid, after=(await gated.row()).seq)
    with pytest.raises(LockUndecided, match="about those that came before"):
        await submitted(timed, gated, lock, "one too many")
    gate.open.set()
    await asyncio.wait(waiting)


async def test_a_lock_that_was_released_takes_no_candidates(timed: Runtime) -> None:
    run = await timed.start(simple)
    lock = await lock_of(timed, run)
    await submitted(timed, run, lock, 1)
    with pytest.raises(LockClosed, match="released already"):
        await submitted(timed, run, lock, 2)


async def test_an_unknown_lock_and_an_unknown_run_are_told_apart(timed: Runtime) -> None:
    run = await timed.start(simple)
    await lock_of(timed, run)
    with pytest.raises(LockNotFound):
        await timed.submit(run.fid, "nosuchlock00", 1)
    with pytest.raises(RunNotFound):
        await timed.submit("nosuchrun", "nosuchlock00", 1)


# --- ends of the run ------------------------------------------------------------------


async def test_cancelling_the_run_closes_its_locks(timed: Runtime, gate: Gate, gated: Run) -> None:
    lock = await lock_of(timed, gated)
    waiting = asyncio.create_task(timed.submit(gated.fid, lock.lid, "x"), name="x")
    await until(lambda: gate.looked)
    await gated.cancel("enough")
    with pytest.raises(LockClosed):
        await waiting
    (closed,) = await timed.locks(gated.fid)
    assert closed.state is LockState.CLOSED
    assert (await gated.row()).locks == 0


async def test_cancelling_a_run_that_is_out_of_memory_closes_its_locks(
    timed: Runtime, clock: FakeClock
) -> None:
    run = await timed.start(simple)
    await seen(run, "run.waiting")
    await put_aside(timed, clock)
    await run.cancel()
    (lock,) = await timed.locks(run.fid)
    assert lock.state is LockState.CLOSED
    assert (await run.row()).locks == 0
    assert await timed.open_locks() == []


async def test_a_lock_beside_a_failure_is_closed_and_the_flow_goes_on(timed: Runtime) -> None:
    @step(blocking=False)
    def fail() -> None:
        raise ValueError("no")

    @flow
    async def caught(ctx: Context) -> str:
        try:
            await ctx.gather(ctx.lock("beside"), ctx.step(fail))
        except Exception:
            return await ctx.lock("after")
        return "never"

    run = await timed.start(caught)
    lock = await lock_of(timed, run, "after")
    assert [each.state for each in await timed.locks(run.fid)] == [LockState.CLOSED, LockState.OPEN]
    await submitted(timed, run, lock, "went on")
    assert await result_of(run) == "went on"


async def test_the_timeout_of_the_flow_counts_at_a_lock_too(timed: Runtime, clock: FakeClock) -> None:
    @flow(timeout="1h")
    async def hasty(ctx: Context) -> Any:
        return await ctx.lock("hasty")

    run = await timed.start(hasty)
    await seen(run, "run.waiting")
    clock.advance(3600)
    with pytest.raises(Exception, match="longer than"):
        await result_of(run)
    assert [lock.state for lock in await timed.locks(run.fid)] == [LockState.CLOSED]
