"""Runs that nobody records."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, story, until

from penstock import Runtime, node
from penstock.core.errors import (
    RunCancelled,
    RunFailed,
    RunNotFound,
)
from penstock.store.memory import MemoryStore

NAP = "{flow: nap, nodes: [{kind: delay, name: a, duration: 1h}]}"


@node("say", pure=True)
def say(value: Any) -> Any:
    return value


SILENT = "{flow: say, settings: {record: none}, inputs: {value: {}}, nodes: [{kind: %s, name: a}]}"


async def test_an_ephemeral_run_leaves_no_trace(runtime: Runtime) -> None:
    run = await runtime.start(graph(SILENT % "say", say), value=1)
    assert await result_of(run) == 1
    assert await runtime.runs() == []
    assert isinstance(runtime.store, MemoryStore)
    assert not runtime._executions


async def test_the_result_of_an_ephemeral_run_waits_for_whoever_started_it(runtime: Runtime) -> None:
    run = await runtime.start(graph(SILENT % "say", say), value=1)
    await until(lambda: not runtime._executions)
    assert await result_of(run) == 1
    assert await result_of(run) == 1


async def test_an_ephemeral_run_fails_like_any_other(runtime: Runtime) -> None:
    @node("fail")
    async def fail(value: Any) -> None:
        raise OSError("no")

    run = await runtime.start(graph(SILENT % "fail", fail), value=1)
    with pytest.raises(RunFailed, match="failed at `a`: OSError: no"):
        await result_of(run)


async def test_an_ephemeral_run_that_failed_unheard_does_not_cry_out(runtime: Runtime) -> None:
    import gc

    @node("fail")
    async def fail(value: Any) -> None:
        raise OSError("no")

    await runtime.start(graph(SILENT % "fail", fail), value=1)
    await until(lambda: not runtime._executions)
    gc.collect()  # "exception was never retrieved" would be an error here


async def test_an_ephemeral_run_can_be_cancelled(runtime: Runtime) -> None:
    text = NAP.replace("nodes:", "settings: {record: none}, nodes:")
    run = await runtime.start(graph(text))
    waiting = asyncio.create_task(result_of(run), name="waiting")
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await run.cancel("enough")
    with pytest.raises(RunCancelled, match="enough"):
        await waiting


async def test_following_an_ephemeral_run_is_refused_and_does_not_hang(runtime: Runtime) -> None:
    run = await runtime.start(graph(NAP.replace("nodes:", "settings: {record: none}, nodes:")))
    with pytest.raises(RunNotFound):
        await story(run)
    await run.cancel()
