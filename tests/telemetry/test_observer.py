"""What the engine tells an observer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import pass_time, result_of, until
from tests.engine.world import CHAIN, World
from tests.telemetry.watcher import Watcher

from penstock import NodeContext, Runtime, flow, node
from penstock.core.errors import RunCancelled, RunFailed
from penstock.core.states import RunState
from penstock.engine.observer import Observer, Outcome, Subject, together
from penstock.telemetry.metrics import Metrics
from penstock.testing.clock import FakeClock

SILENT = "settings: {record: none}"


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
async def watched(watcher: Watcher, clock: FakeClock) -> AsyncIterator[Runtime]:
    async with Runtime("memory:", clock=clock, observer=watcher) as runtime:
        yield runtime


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@node("fail")
async def fail(value: Any = None, *, times: int = 0, text: str = "no", ctx: NodeContext) -> str:
    if not times or ctx.attempt <= times:
        raise OSError(text)
    return "well"


async def test_a_run_is_told_from_its_start_to_its_end(watched: Runtime, watcher: Watcher) -> None:
    world = World()
    world.gate.set()
    run = await watched.start(graph(CHAIN, world.effect))
    await result_of(run)
    await until(lambda: "run_left" in watcher.names())
    told = [name for name in watcher.names() if name != "committed"]
    assert told[:2] == ["run_started", "run_entered"]
    assert told[2:-2] == ["attempt_began", "attempt_ended"] * 3
    assert told[-2:] == ["run_ended", "run_left"]
    ((_, subject, outcome, seconds, error),) = watcher.of("run_ended")
    assert (subject.namespace, subject.name, subject.fid) == ("default", "chain", run.fid)
    assert (outcome, seconds, error) == (Outcome.COMPLETED, 0.0, None)


async def test_a_failed_run_is_told_with_its_error(watched: Runtime, watcher: Watcher) -> None:
    run = await watched.start(graph("{flow: f, nodes: [{kind: fail, name: a}]}", fail))
    with pytest.raises(RunFailed):
        await result_of(run)
    ((*_, outcome, _, error),) = watcher.of("run_ended")
    assert outcome is Outcome.FAILED
    assert (error.code, error.message, error.node) == ("OSError", "OSError: no", "a")
    ((_, _, where, kind, attempt_outcome, _, why),) = watcher.of("attempt_ended")
    assert (where, kind, attempt_outcome, why.code) == ("a", "fail", Outcome.FAILED, "OSError")


async def test_a_cancelled_run_and_what_it_did_are_told_as_cancelled(
    watched: Runtime, watcher: Watcher
) -> None:
    world = World()
    run = await watched.start(graph(CHAIN, world.effect))
    await until(lambda: world.done == ["a"] and len(world.keys) == 2)
    await run.cancel()
    with pytest.raises(RunCancelled):
        await result_of(run)
    assert [told[4] for told in watcher.of("attempt_ended")] == [Outcome.COMPLETED, Outcome.CANCELLED]
    assert watcher.of("run_ended")[0][2] is Outcome.CANCELLED


async def test_each_retry_is_told_with_its_delay(watched: Runtime, watcher: Watcher) -> None:
    text = """
    flow: f
    nodes:
      - {kind: fail, name: a, times: 2, retry: {attempts: 3, delay: 0s}}
    """
    assert await result_of(await watched.start(graph(text, fail))) == "well"
    assert [(told[2], told[3], told[4], told[5]) for told in watcher.of("retried")] == [
        ("a", "fail", 1, 0.0),
        ("a", "fail", 2, 0.0),
    ]
    assert [told[4] for told in watcher.of("attempt_ended")] == ["failed", "failed", "completed"]


async def test_an_attempt_that_took_too_long_failed_with_the_code_timeout(
    watched: Runtime, watcher: Watcher, clock: FakeClock
) -> None:
    text = "{flow: f, nodes: [{kind: delay, name: a, duration: 1h, timeout: 1s}]}"
    run = await watched.start(graph(text))
    await clock.scheduled()
    await pass_time(clock, 2)
    with pytest.raises(RunFailed):
        await result_of(run)
    ((*_, outcome, seconds, error),) = watcher.of("attempt_ended")
    assert (outcome, seconds, error.code) == (Outcome.FAILED, 2.0, "timeout")


async def test_children_are_told_with_their_path_and_outcome(watched: Runtime, watcher: Watcher) -> None:
    text = """
    flow: f
    nodes:
      - {kind: try, name: t, links: {out: a, error: b}}
      - {kind: fail, name: a}
      - {kind: nop, name: b}
    """
    await result_of(await watched.start(graph(text, fail)))
    ((_, _, path, outcome, _, error),) = watcher.of("child_ended")
    assert (path, outcome, error.message) == ("t[0]", Outcome.FAILED, "OSError: no")


async def test_a_call_of_a_flow_is_told_with_its_name(watched: Runtime, watcher: Watcher) -> None:
    @flow
    async def inner(ctx: Any) -> int:
        return 1

    @flow
    async def outer(ctx: Any) -> int:
        return int(await ctx.call(inner))

    assert await result_of(await watched.start(outer)) == 1
    ((_, _, path, name),) = watcher.of("child_began")
    assert (path, name) == ("inner#1", "inner")


async def test_pure_nodes_are_not_told_of(watched: Runtime, watcher: Watcher) -> None:
    text = "{flow: f, nodes: [{kind: log, name: a, message: hello}]}"
    await result_of(await watched.start(graph(text)))
    assert not watcher.of("attempt_began", "attempt_ended")


async def test_what_an_unrecorded_process_says_is_told_and_what_a_recorded_one_says_is_not(
    watched: Runtime, watcher: Watcher
) -> None:
    text = "{flow: f, %s nodes: [{kind: log, name: a, message: hello}]}"
    await result_of(await watched.start(graph(text % "")))
    assert not watcher.of("said")
    await result_of(await watched.start(graph(text % f"{SILENT},")))
    ((_, subject, where, kind, data, _),) = watcher.of("said")
    assert (subject.name, where, kind) == ("f", "a", "node.message")
    assert data == {"level": "info", "message": "DEBUG: hello"}


async def test_an_effect_that_asks_for_nothing_is_told_of_in_unrecorded_processes_too(
    watched: Runtime, watcher: Watcher
) -> None:
    @node("bare")
    async def bare(value: Any = None) -> int:
        return 1

    text = f"{{flow: f, {SILENT}, nodes: [{{kind: bare, name: a}}]}}"
    await result_of(await watched.start(graph(text, bare)))
    assert [told[2:5] for told in watcher.of("attempt_ended")] == [("a", "bare", Outcome.COMPLETED)]


async def test_a_run_that_waits_is_told_when_it_waits_and_when_it_goes_on(
    watched: Runtime, watcher: Watcher, clock: FakeClock
) -> None:
    run = await watched.start(graph("{flow: f, nodes: [{kind: delay, name: a, duration: 1h}]}"))
    await until(lambda: watcher.of("run_changed"))
    await pass_time(clock, 3600)
    await until(lambda: "run_ended" in watcher.names())
    await result_of(run)
    states = [told[2] for told in watcher.of("run_changed")]
    assert states[0] is RunState.WAITING
    assert watcher.names().count("run_started") == 1


async def test_commits_are_told_with_their_events(watched: Runtime, watcher: Watcher) -> None:
    run = await watched.start(graph("{flow: f, nodes: [{kind: nop, name: a}]}"))
    await result_of(run)
    row = await run.row()
    assert sum(told[1] for told in watcher.of("committed")) == row.seq
    assert {told[3] for told in watcher.of("committed")} == {None}


async def test_secrets_of_a_flow_do_not_reach_an_observer(watched: Runtime, watcher: Watcher) -> None:
    text = """
    flow: f
    nodes:
      - {kind: try, name: t, links: {out: a, error: b}}
      - kind: fail
        name: a
        env: {TOKEN: {name: vault, data: "{{ token }}"}}
        text: "refused: {{ .TOKEN }}"
        retry: {attempts: 2, delay: 0s}
      - {kind: nop, name: b}
    """
    values = {"vault": {"token": "hunter2-hunter2"}}
    await result_of(await watched.start(graph(text, fail, values=values)))
    assert watcher.of("retried")
    assert "hunter2" not in repr([(told, getattr(told[-1], "message", "")) for told in watcher.told])
    assert "refused: •••" in repr([getattr(told[-1], "message", "") for told in watcher.told])


async def test_a_run_is_put_aside_without_an_end(watcher: Watcher, tmp_path: Any) -> None:
    world = World()
    async with Runtime(f"sqlite:///{tmp_path}/a.db", observer=watcher) as runtime:
        await runtime.start(graph(CHAIN, world.effect))
        await until(lambda: world.done == ["a"])
    assert watcher.names().count("run_left") == 1
    assert not watcher.of("run_ended")


async def test_a_run_cancelled_without_being_in_memory_has_its_end_told(
    watcher: Watcher, tmp_path: Any
) -> None:
    world = World()
    url = f"sqlite:///{tmp_path}/a.db"
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(CHAIN, world.effect))
    async with Runtime(url, observer=watcher, recover=False) as runtime:
        await runtime.get(run.fid).cancel()
    ((_, subject, outcome, _, _),) = watcher.of("run_ended")
    assert (subject.name, subject.fid, outcome) == ("chain", run.fid, Outcome.CANCELLED)


class Deaf(Observer):
    """Hears nothing."""


async def test_without_an_observer_nothing_is_wrapped_and_nothing_is_put_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("somebody worked for an observer that is not there")

    for name in ("firing.observed_attempt", "live.observed_child", "live.Subject", "execution.Subject"):
        monkeypatch.setattr(f"penstock.engine.{name}", refuse)
    world = World()
    world.gate.set()
    text = f"""
    flow: f
    {SILENT}
    nodes:
      - {{kind: try, name: t, links: {{out: a}}}}
      - {{kind: effect, name: a}}
    """
    async with Runtime("memory:") as runtime:
        await result_of(await runtime.start(graph(text, world.effect)))
        await result_of(await runtime.start(graph(CHAIN, world.effect)))
    assert len(world.done) == 4


async def test_several_observers_are_all_told_and_a_single_listener_directly() -> None:
    first, second = Watcher(), Watcher()
    both = together(first, Deaf(), second)
    assert both is not None
    both.reloaded("default", 1, 0.5, None)
    assert first.told == second.told == [("reloaded", "default", 1, 0.5, None)]
    alone = together(Deaf(), first)
    assert alone is not None
    assert alone.reloaded == first.reloaded


def test_of_several_the_first_hears_first_of_what_begins_and_last_of_what_ends() -> None:
    order: list[str] = []

    class Named(Observer):
        def __init__(self, name: str) -> None:
            self.name = name

        def process_began(self, process: Subject, trace: str) -> None:
            order.append(f"{self.name} began")

        def process_ended(self, *_: Any) -> None:
            order.append(f"{self.name} ended")

    both = together(Named("first"), Named("second"))
    assert both is not None
    both.process_began(Subject("default", "api"), "")
    both.process_ended(Subject("default", "api"), Outcome.COMPLETED, 0.0, None)
    assert order == ["first began", "second began", "second ended", "first ended"]


def test_several_observers_can_be_among_several() -> None:
    first, second, third = Watcher(), Watcher(), Watcher()
    inner = together(first, second, Deaf())
    assert inner is not None
    both = together(inner, together(Deaf(), Deaf()) or Deaf(), third)
    assert both is not None
    both.warned(Subject("default", "api"), "late", {})
    assert first.names() == second.names() == third.names() == ["warned"]


def test_an_observer_says_what_it_hears_and_several_hear_what_any_of_them_does() -> None:
    assert Watcher().hears("reloaded")
    assert not Deaf().hears("reloaded", "warned")
    several = together(Deaf(), Metrics())
    assert several is not None
    assert several.hears("run_changed", "request_done")
    assert not several.hears("run_changed", "said")


def test_no_observer_is_none_and_one_is_itself() -> None:
    watcher = Watcher()
    assert together() is None
    assert together(watcher) is watcher


async def test_a_message_from_a_thread_is_told_there(watched: Runtime, watcher: Watcher) -> None:
    import threading

    @node("blocking")
    def blocking(value: Any = None, *, ctx: NodeContext) -> int:
        ctx.message("from a thread")
        return threading.get_ident()

    text = f"{{flow: f, {SILENT}, nodes: [{{kind: blocking, name: a}}]}}"
    async with asyncio.timeout(5):
        ident = await (await watched.start(graph(text, blocking))).result()
    assert ident != threading.get_ident()
    assert [told[4]["message"] for told in watcher.of("said")] == ["from a thread"]
