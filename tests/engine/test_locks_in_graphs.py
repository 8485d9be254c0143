"""The kind `lock`: in loops and children, with a graph that decides, and with errors and retries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.locking import answered, lock_of, opened, put_aside, submitted, waits
from tests.engine.watching import data_of, lines, result_of, seen, story, until

from penstock import Denied, NodeContext, Runtime, node
from penstock.core.errors import CandidateInvalid, DocumentError, LockClosed, RunFailed
from penstock.core.locks import LockState
from penstock.core.reason import Reason
from penstock.testing.clock import FakeClock

ASK = """
flow: ask
inputs: {text: {type: string}}
nodes:
  - kind: lock
    name: approve
    title: Is it right?
    description: Look at it twice.
    schema: {type: object, properties: {ok: {type: boolean}}, required: [ok]}
    candidate_timeout: 2d
    release_timeout: 5s
    links: {out: log}
  - {kind: debug.log, name: log}
"""

DECIDED = """
flow: decided
nodes:
  - {kind: lock, name: spend, schema: {type: integer}, links: {candidate: small}}
  - {kind: if, name: small, when: self.value < 100, links: {"true": yes, "false": no}}
  - {kind: snippet, name: "yes", language: cel, code: self.value * 2}
  - {kind: throw, name: "no", code: denied, message: "below 100, please"}
"""


async def test_a_lock_shows_what_arrives_and_sends_the_answer(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.start(graph(ASK), text="draft")
    lock = await lock_of(timed, run)
    assert (lock.name, lock.node, lock.title) == ("approve", "approve", "Is it right?")
    assert (lock.description, lock.data) == ("Look at it twice.", {"text": "draft"})
    assert (lock.expires, lock.release_timeout) == (clock.now() + 2 * 86400, 5)
    with pytest.raises(CandidateInvalid):
        await submitted(timed, run, lock, {"ok": "yes"})
    await submitted(timed, run, lock, {"ok": True})
    assert await result_of(run) == {"ok": True}


async def test_a_lock_without_a_title_is_called_by_its_name(timed: Runtime) -> None:
    run = await timed.start(graph("{flow: f, nodes: [{kind: lock, name: plain}]}"))
    assert (await lock_of(timed, run)).title == "plain"


async def test_the_graph_behind_the_port_candidate_decides(timed: Runtime) -> None:
    run = await timed.start(graph(DECIDED))
    denied = await answered(timed, run, 500)
    assert denied.reasons == (Reason("below 100, please"),)
    assert await answered(timed, run, 30) is not None
    assert await result_of(run) == 60
    assert lines(await story(run), "lock.", "child.") == [
        "lock.opened spend",
        "lock.candidate spend",
        "child.started spend[0]",
        "child.completed spend[0]",
        "lock.denied spend",
        "lock.candidate spend",
        "child.started spend[1]",
        "child.completed spend[1]",
        "lock.released spend",
    ]


async def test_a_decision_may_give_reasons_with_places(timed: Runtime) -> None:
    @node("strict")
    async def strict(about: Any) -> Any:
        if about["value"]["age"] < 18:
            raise Denied("too young", pointer="/age")
        return about["value"]

    text = """
    flow: f
    nodes:
      - {kind: lock, name: form, links: {candidate: strict.about}}
      - {kind: strict, name: strict}
    """
    run = await timed.start(graph(text, strict))
    assert (await answered(timed, run, {"age": 7})).reasons == (Reason("too young", "/age"),)
    assert (await answered(timed, run, {"age": 20})).released


async def test_a_decision_that_answers_nothing_takes_the_candidate(timed: Runtime) -> None:
    @node("quiet", pure=True)
    def quiet(value: Any) -> None:
        """Look, and say nothing."""

    text = """
    flow: f
    nodes:
      - {kind: lock, name: form, links: {candidate: quiet}}
      - {kind: quiet, name: quiet}
    """
    run = await timed.start(graph(text, quiet))
    await answered(timed, run, "as it is")
    assert await result_of(run) == "as it is"


async def test_a_decision_that_fails_otherwise_is_the_failure_of_the_lock(timed: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: lock, name: form, links: {candidate: broken, error: log}}
      - {kind: throw, name: broken, code: database.away, message: no answer}
      - {kind: debug.log, name: log}
    """
    run = await timed.start(graph(text))
    with pytest.raises(LockClosed):
        await answered(timed, run, 1)
    assert (await result_of(run)).code == "database.away"


async def test_what_decides_sees_who_submitted_and_what_was_shown(timed: Runtime) -> None:
    text = """
    flow: f
    inputs: {amount: {type: integer}}
    nodes:
      - {kind: lock, name: form, links: {candidate: log}}
      - {kind: debug.log, name: log}
    """
    run = await timed.start(graph(text), amount=3)
    lock = await lock_of(timed, run)
    await submitted(timed, run, lock, "v", by="ada", id="first")
    assert await result_of(run) == {"value": "v", "by": "ada", "id": "first", "data": {"amount": 3}}


async def test_every_turn_of_a_loop_has_a_lock_of_its_own(timed: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: loop, name: each, items: [a, b, c], links: {out: ask}}
      - {kind: lock, name: ask}
    """
    run = await timed.start(graph(text))
    locks = await opened(timed, run, count=3)
    assert {(lock.node, lock.data) for lock in locks} == {
        (f"each[{number}]/ask", item) for number, item in enumerate("abc")
    }
    for lock in reversed(locks):
        await submitted(timed, run, lock, str(lock.data).upper())
    assert await result_of(run) == ["A", "B", "C"]


async def test_an_expired_lock_takes_the_error_port(timed: Runtime, clock: FakeClock) -> None:
    text = """
    flow: f
    nodes:
      - {kind: lock, name: ask, candidate_timeout: 1h, links: {error: log}}
      - {kind: debug.log, name: log}
    """
    run = await timed.start(graph(text))
    await seen(run, "run.waiting")
    clock.advance(3600)
    assert (await result_of(run)).code == "lock.expired"


async def test_another_attempt_opens_another_lock(timed: Runtime, clock: FakeClock) -> None:
    text = """
    flow: f
    nodes:
      - {kind: lock, name: ask, candidate_timeout: 1h, retry: {attempts: 2, delay: 1m, jitter: 0}}
    """
    run = await timed.start(graph(text))
    first = await lock_of(timed, run)
    await seen(run, "run.waiting")
    clock.advance(3600)
    await seen(run, "node.retrying", "ask")
    await clock.scheduled()
    clock.advance(60)
    second = await lock_of(timed, run)
    assert second.lid != first.lid
    with pytest.raises(LockClosed):
        await submitted(timed, run, first, 1)
    await submitted(timed, run, second, 2)
    assert await result_of(run) == 2


async def test_a_run_that_begins_anew_asks_anew(timed: Runtime) -> None:
    text = """
    flow: f
    settings: {on_error: {strategy: retry, max_retries: 1, delay: 0s}}
    nodes:
      - {kind: lock, name: ask, links: {out: picky}}
      - {kind: picky, name: picky}
    """

    @node("picky")
    async def picky(value: Any) -> Any:
        if value == "bad":
            raise ValueError("no")
        return value

    run = await timed.start(graph(text, picky))
    first = await lock_of(timed, run)
    await submitted(timed, run, first, "bad")
    await seen(run, "run.resumed", after=first.lid and (await run.row()).seq - 1)
    second = await lock_of(timed, run)
    assert second.lid != first.lid
    assert [lock.state for lock in await timed.locks(run.fid)] == [LockState.RELEASED, LockState.OPEN]
    await submitted(timed, run, second, "good")
    assert await result_of(run) == "good"


async def test_a_lock_takes_no_place_of_max_parallel(timed: Runtime) -> None:
    done: list[int] = []

    @node("work")
    async def work(value: Any = None, *, number: int) -> int:
        done.append(number)
        return number

    text = """
    flow: f
    settings: {max_parallel: 1}
    nodes:
      - {kind: lock, name: ask}
      - {kind: work, name: one, number: 1}
      - {kind: work, name: two, number: 2}
    """
    run = await timed.start(graph(text, work))
    await until(lambda: done == [1, 2])
    await answered(timed, run, "yes")
    assert await result_of(run) == ["yes", 1, 2]


async def test_a_kind_may_open_a_lock(timed: Runtime) -> None:
    @node("asks")
    async def asks(*, ctx: NodeContext) -> Any:
        first = await ctx.lock("first", schema=int)
        second = await ctx.lock("second", schema={"type": "integer"}, data=first)
        return first + second

    run = await timed.start(graph("{flow: f, nodes: [{kind: asks, name: a}]}", asks))
    await answered(timed, run, 1, "first")
    await answered(timed, run, 2, "second")
    assert await result_of(run) == 3


async def test_a_graph_at_a_lock_leaves_memory_and_comes_back_for_a_candidate(
    timed: Runtime, clock: FakeClock
) -> None:
    run = await timed.start(graph(DECIDED))
    await seen(run, "run.waiting")
    await put_aside(timed, clock)
    assert not (await answered(timed, run, 500)).released
    await waits(run, 2)
    await put_aside(timed, clock)
    assert (await answered(timed, run, 5)).released
    assert await result_of(run) == 10
    assert data_of(await story(run), "run.resumed") == [{"reason": "candidate"}] * 2
    assert len(data_of(await story(run), "node.started", "spend")) == 1


async def test_a_run_that_nobody_records_cannot_ask(timed: Runtime) -> None:
    text = "{flow: f, settings: {record: none}, nodes: [{kind: lock, name: ask}]}"
    run = await timed.start(graph(text))
    with pytest.raises(RunFailed, match="not recorded") as caught:
        async with asyncio.timeout(5):
            await run.result()
    assert caught.value.error.code == "lock.unrecorded"


@pytest.mark.parametrize("record", ["full", "effects"])
async def test_a_lock_is_recorded_with_everything_and_with_effects(timed: Runtime, record: str) -> None:
    text = f"{{flow: f, settings: {{record: {record}}}, nodes: [{{kind: lock, name: ask}}]}}"
    run = await timed.start(graph(text))
    await answered(timed, run, 1)
    assert await result_of(run) == 1


def test_a_schema_that_is_none_is_a_mistake_of_the_document() -> None:
    text = "{flow: f, nodes: [{kind: lock, name: ask, schema: {type: texture}}]}"
    with pytest.raises(DocumentError, match=r"schema.*no JSON Schema"):
        graph(text)
