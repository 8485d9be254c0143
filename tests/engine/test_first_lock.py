"""The first lock of a run: a launch without sufficient inputs asks for the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.locking import answered, lock_of, put_aside, submitted, waits
from tests.engine.watching import data_of, lines, result_of, seen, story

from penstock import Context, Runtime, flow, step
from penstock.core.errors import CandidateInvalid, InputError, LockClosed, RunCancelled, RunFailed
from penstock.core.locks import LockState
from penstock.core.record import RunRecord
from penstock.testing.clock import FakeClock

GREETING = """
flow: greeting
description: Say hello.
inputs:
  name: {type: string, minLength: 1}
  times: {type: integer, minimum: 1}
  mark: {type: string, default: "!"}
required: [name, times]
nodes:
  - {kind: snippet, name: greet, language: cel, code: '"hello " + self.name + self.mark'}
"""


@flow
async def greet(ctx: Context, name: str, times: int = 1) -> str:
    return " ".join(["hello", name] * times)


async def test_a_launch_with_sufficient_inputs_asks_nothing(timed: Runtime) -> None:
    run = await timed.launch(graph(GREETING), {"name": "ada", "times": 2}, open_inputs=True)
    assert await result_of(run) == "hello ada!"
    assert await timed.locks(run.fid) == []


async def test_a_launch_without_them_is_refused_unless_it_may_ask(timed: Runtime) -> None:
    with pytest.raises(InputError, match="`times` is missing"):
        await timed.launch(graph(GREETING), {"name": "ada"})
    assert await timed.runs() == []


async def test_the_first_lock_asks_for_what_is_missing(timed: Runtime) -> None:
    run = await timed.launch(graph(GREETING), {"name": "ada"}, open_inputs=True)
    lock = await lock_of(timed, run)
    assert (lock.name, lock.node) == ("inputs", "")
    assert (lock.title, lock.description) == ("greeting", "Say hello.")
    assert lock.schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "default": "ada"},
            "times": {"type": "integer", "minimum": 1},
            "mark": {"type": "string", "default": "!"},
        },
        "required": ["times"],
    }
    with pytest.raises(CandidateInvalid):
        await submitted(timed, run, lock, {"times": 0})
    released = await submitted(timed, run, lock, {"times": 3})
    assert released.value == {"name": "ada", "times": 3, "mark": "!"}
    assert await result_of(run) == "hello ada!"
    assert RunRecord.fold(await story(run)).inputs == {"name": "ada", "times": 3, "mark": "!"}


async def test_a_candidate_may_change_what_was_given(timed: Runtime) -> None:
    run = await timed.launch(graph(GREETING), {"name": "ada"}, open_inputs=True)
    await answered(timed, run, {"name": "bob", "times": 1, "mark": "?"})
    assert await result_of(run) == "hello bob?"


async def test_a_python_flow_asks_for_its_parameters(timed: Runtime) -> None:
    run = await timed.launch(greet, {"times": 2}, open_inputs=True)
    lock = await lock_of(timed, run)
    assert lock.schema is not None
    assert lock.schema["required"] == ["name"]
    denied = await submitted(timed, run, lock, {"name": "ada", "colour": "red"})
    assert denied.reasons[0].pointer == "/colour"
    assert (await submitted(timed, run, lock, {"name": "ada"})).released
    assert await result_of(run) == "hello ada hello ada"


@pytest.mark.parametrize("inputs", [{"name": ""}, {"name": 3}, {"times": "many"}])
async def test_inputs_that_are_wrong_are_refused_at_once(timed: Runtime, inputs: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        await timed.launch(graph(GREETING), inputs, open_inputs=True)


async def test_a_run_that_nobody_records_asks_for_nothing(timed: Runtime) -> None:
    text = GREETING + "settings: {record: none}\n"
    with pytest.raises(InputError):
        await timed.launch(graph(text), {"name": "ada"}, open_inputs=True)


async def test_nothing_of_the_flow_happens_before_its_inputs_are_there(timed: Runtime) -> None:
    run = await timed.launch(greet, open_inputs=True)
    await waits(run)
    assert lines(await timed.store.events(run.fid)) == [
        "run.started",
        "lock.opened",
        "run.waiting",
    ]
    assert (await timed.store.events(run.fid))[0].data["missing"] == ["name"]
    await run.cancel()
    with pytest.raises(RunCancelled):
        await result_of(run)


async def test_the_first_lock_survives_leaving_memory_and_a_restart(url: str, clock: FakeClock) -> None:
    async with Runtime(url, flows=[greet], clock=clock) as runtime:
        run = await runtime.launch(greet, open_inputs=True)
        lock = await lock_of(runtime, run)
        await waits(run)
        await put_aside(runtime, clock)
    async with Runtime(url, flows=[greet], clock=clock) as runtime:
        run = runtime.get(run.fid)
        assert (await submitted(runtime, run, lock, {"name": "ada"}, by="bob")).released
        assert await result_of(run) == "hello ada"
        assert len(data_of(await story(run), "lock.opened")) == 1


@step
async def shout(text: str) -> str:
    return text.upper()


@flow
async def slow_greeting(ctx: Context, name: str) -> str:
    loud = await ctx.step(shout, name)
    await ctx.sleep("1d")
    return str(loud)


async def test_what_was_given_is_there_when_the_run_goes_on_later(url: str, clock: FakeClock) -> None:
    async with Runtime(url, flows=[slow_greeting], clock=clock) as runtime:
        run = await runtime.launch(slow_greeting, open_inputs=True)
        await answered(runtime, run, {"name": "ada"})
        await seen(run, "node.waiting", "sleep#2")
    async with Runtime(url, flows=[slow_greeting], clock=clock) as runtime:
        await clock.scheduled()
        clock.advance(86400)
        assert await result_of(runtime.get(run.fid)) == "ADA"


async def test_a_retry_takes_what_was_given(timed: Runtime, clock: FakeClock) -> None:
    run = await timed.launch(slow_greeting, open_inputs=True)
    await answered(timed, run, {"name": "ada"})
    await seen(run, "node.waiting", "sleep#2")
    await run.cancel()
    again = await timed.retry(run.fid, from_start=True)
    await seen(again, "node.waiting", "sleep#2")
    clock.advance(86400)
    assert await result_of(again) == "ADA"
    assert await timed.locks(again.fid) == []


async def test_a_retry_of_a_run_that_was_given_nothing_asks_again(timed: Runtime) -> None:
    run = await timed.launch(greet, open_inputs=True)
    await lock_of(timed, run)
    await run.cancel()
    again = await timed.retry(run.fid)
    await answered(timed, again, {"name": "ada"})
    assert await result_of(again) == "hello ada"


async def test_the_timeout_of_the_flow_begins_when_it_can(timed: Runtime, clock: FakeClock) -> None:
    @flow(timeout="1h")
    async def limited(ctx: Context, name: str) -> Any:
        return await ctx.lock("more", data=name)

    run = await timed.launch(limited, open_inputs=True)
    await waits(run)
    clock.advance(86400)
    await answered(timed, run, {"name": "ada"}, "inputs")
    await lock_of(timed, run, "more")
    await waits(run, 2)
    clock.advance(3500)
    assert (await lock_of(timed, run, "more")).state is LockState.OPEN
    clock.advance(100)
    with pytest.raises(Exception, match="longer than"):
        await result_of(run)


async def test_a_run_that_begins_anew_does_not_ask_again(timed: Runtime) -> None:
    text = """
    flow: f
    inputs: {name: {type: string}}
    required: [name]
    settings: {on_error: {strategy: retry, max_retries: 1, delay: 0s}}
    nodes:
      - {kind: lock, name: more, links: {candidate: no}}
      - {kind: throw, name: "no", code: broken, message: broken}
    """
    run = await timed.launch(graph(text), open_inputs=True)
    await answered(timed, run, {"name": "ada"}, "inputs")
    for _ in range(2):
        with pytest.raises(LockClosed):
            await answered(timed, run, 1, "more")
    with pytest.raises(RunFailed):
        await result_of(run)
    assert [lock.name for lock in await timed.locks(run.fid)] == ["inputs", "more", "more"]


async def test_two_people_at_the_first_lock(timed: Runtime) -> None:
    run = await timed.launch(greet, open_inputs=True)
    lock = await lock_of(timed, run)
    found = await asyncio.gather(
        *(timed.submit(run.fid, lock.lid, {"name": name}) for name in ("ada", "bob")),
        return_exceptions=True,
    )
    assert [isinstance(each, LockClosed) for each in found] == [False, True]
    assert await result_of(run) == "hello ada"
