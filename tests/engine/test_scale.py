"""Many runs, and nothing left of them."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import until

from penstock import Runtime, node
from penstock.core.events import Event
from penstock.engine.execution import Execution
from penstock.engine.flow import GraphFlow
from penstock.engine.journal import Journal
from penstock.engine.live import LiveRun
from penstock.engine.process import Process

if TYPE_CHECKING:
    from pathlib import Path


@node("start", pure=True)
def start(value: Any = None) -> int:
    return 1


@node("work")
async def work(value: Any = None) -> int:
    await asyncio.sleep(0)
    return 1


def small(record: str) -> GraphFlow:
    text = f"""
    flow: small
    settings: {{record: {record}}}
    nodes:
      - {{kind: start, name: a, links: {{out: [b, c]}}}}
      - {{kind: work, name: b}}
      - {{kind: work, name: c}}
    """
    return graph(text, start, work)


async def run_many(runtime: Runtime, flow: GraphFlow, count: int, *, at_once: int = 500) -> None:
    for _ in range(0, count, at_once):
        runs = [await runtime.start(flow) for _ in range(at_once)]
        async with asyncio.timeout(60):
            results = await asyncio.gather(*(run.result() for run in runs))
        assert results == [[1, 1]] * at_once


def in_memory() -> Counter[str]:
    """How many of the things that a run is made of there are; others may hold some, too."""
    gc.collect()
    kinds = (Execution, Process, Journal, LiveRun, Event)
    return Counter(type(item).__name__ for item in gc.get_objects() if isinstance(item, kinds))


async def test_ten_thousand_runs_leave_no_task_and_no_memory() -> None:
    tasks, before = asyncio.all_tasks(), in_memory()
    flow = small("none")
    async with Runtime("memory:") as runtime:
        await run_many(runtime, flow, 1_000)
        before_tasks = len(asyncio.all_tasks())
        gc.collect()
        tracemalloc.start()
        try:
            await run_many(runtime, flow, 1_000)
            first, _ = tracemalloc.get_traced_memory()
            await run_many(runtime, flow, 8_000)
            gc.collect()
            last, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert last - first < 200_000, "bytes that 8,000 runs left behind"
        assert len(asyncio.all_tasks()) == before_tasks
        assert in_memory() == before
    assert asyncio.all_tasks() == tasks


async def test_runs_that_are_recorded_leave_nothing_in_memory_either(tmp_path: Path) -> None:
    before = in_memory()
    async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
        await run_many(runtime, small("full"), 1_000)
        await until(lambda: not runtime._executions)
        assert in_memory() == before
        assert not runtime._ends
        assert not runtime.streams._tails
        assert not runtime.committer.changes
        assert len(await runtime.runs()) == 1_000


@pytest.mark.slow
async def test_a_thousand_runs_at_once_share_commits(tmp_path: Path) -> None:
    from penstock.store.sqlite import SqliteStore
    from penstock.testing.faults import FaultyStore

    store = FaultyStore(SqliteStore(tmp_path / "runs.db"))
    flow = small("full")
    async with Runtime(store) as runtime:
        runs = await asyncio.gather(*(runtime.start(flow) for _ in range(1_000)))
        async with asyncio.timeout(60):
            await asyncio.gather(*(run.result() for run in runs))
    assert store.commits < 100
