"""Schedules, file watchers, caches and limits in the resident runtime."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.resident.world import World, bell, world

from penstock.core.states import RunState
from penstock.core.store import RunQuery, RunRow, Store
from penstock.engine.fid import time_of
from penstock.store import open_store
from penstock.testing.clock import FakeClock

NOW = 1_800_000_000.0
TICKING_SECONDS = 62
KILL_AFTER_SECONDS = 20
PATIENCE_SECONDS = 30.0

EVERY_SECOND = {"kind": "cron", "name": "tick", "cron": "* * * * * *", "links": {"out": "note"}}
NOTE = {"kind": "note", "name": "note"}


async def ended(store: Store, flow: str, count: int) -> list[RunRow]:
    """The runs of a flow, the oldest first, when there are so many and all have ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            rows = await store.runs(RunQuery(flow=flow))
            if len(rows) >= count and all(row.state.terminal for row in rows):
                return sorted(rows, key=lambda row: row.fid)
            await asyncio.sleep(0.01)


def ticks(rows: list[RunRow]) -> list[float]:
    return [time_of(row.fid) for row in rows]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/specs.db"


async def test_two_runtimes_run_each_tick_once(path: str) -> None:
    clock = FakeClock(NOW)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(world(open_store(path), clock=clock))
        await first.apply(EVERY_SECOND, NOTE)
        second = await stack.enter_async_context(world(open_store(path), clock=clock))
        assert second.report("tick").status == "active"
        await clock.scheduled(2)
        for number in range(1, 11):
            clock.advance(1)
            rows = await ended(first.store, "default/tick", number)
        assert ticks(rows) == [NOW + number for number in range(1, 11)]
        assert {row.state for row in rows} == {RunState.COMPLETED}


async def test_a_tick_is_made_up_for_after_a_restart(path: str) -> None:
    clock = FakeClock(NOW)
    hourly = EVERY_SECOND | {"cron": "@hourly", "missed": "once"}
    async with world(open_store(path), clock=clock) as before:
        await before.apply(hourly, NOTE)
        await clock.scheduled()
        clock.advance(3600)
        await ended(before.store, "default/tick", 1)
    clock.advance(10 * 3600 - 60)
    async with world(open_store(path), clock=clock) as after:
        rows = await ended(after.store, "default/tick", 2)
    assert ticks(rows) == [NOW + 3600, NOW + 10 * 3600]


async def test_a_tick_is_left_out_while_an_earlier_one_runs(path: str) -> None:
    clock = FakeClock(NOW)
    held = {"kind": "held", "name": "note"}
    async with world(open_store(path), clock=clock) as here:
        await here.apply(EVERY_SECOND | {"overlap": "skip", "durable": False}, held)
        await clock.scheduled()
        clock.advance(1)
        node = here.resident.table.symbols["note"].node
        await node.reached.wait()  # type: ignore[attr-defined]
        for _ in range(3):
            clock.advance(1)
            await clock.scheduled()
        assert len(here.resident.roots.processes) == 1
        node.free.set()  # type: ignore[attr-defined]


async def test_a_change_behind_a_schedule_takes_effect_with_the_next_tick(home: World) -> None:
    interval = {"kind": "interval", "name": "tick", "every": "10ms", "durable": False}
    await home.apply(interval | {"links": {"out": "note"}}, NOTE)
    await _told(home, "note {")
    await home.apply(NOTE | {"fails": "not any more"})
    home.told()
    await _told(home, "note {")
    assert home.report("tick").status == "active"


async def test_a_file_that_appears_starts_a_process(home: World, tmp_path: Path) -> None:
    watch = {"kind": "watch", "name": "inbox", "path": f"{tmp_path}/in/*.csv", "debounce": "5ms"}
    await home.apply(watch | {"parents": True, "links": {"out": "note"}}, NOTE)
    (tmp_path / "in" / "a.csv").write_text("1,2")
    await _told(home, "'event': 'created'")


async def test_a_folder_that_is_missing_breaks_its_watch_and_nothing_else(
    home: World, tmp_path: Path
) -> None:
    watch = {"kind": "watch", "name": "inbox", "path": f"{tmp_path}/in/", "links": {"out": "note"}}
    await home.apply(watch, NOTE, bell("note"))
    assert home.report("inbox").status == "broken"
    assert "there is no such folder" in home.report("inbox").reason
    assert await home.ring(1) == 1


async def test_a_cache_remembers_from_process_to_process(home: World) -> None:
    await home.apply(bell("known"), {"kind": "cache", "name": "known", "links": {"out": "note"}}, NOTE)
    assert [await home.ring(payload) for payload in (1, 1, 2, 1)] == [1, 1, 2, 1]
    assert [line for line in home.told() if line.startswith("note")] == ["note 1", "note 2"]


async def test_a_limit_counts_all_processes_and_tells_when_to_come_again(home: World) -> None:
    limit = {"kind": "rate_limit", "name": "limit", "rate": "2/h", "max_wait": "0s"}
    later = {
        "kind": "snippet",
        "name": "later",
        "language": "cel",
        "code": "{'status': 429, 'headers': {'Retry-After': string(int(self.details.retry_after))}}",
    }
    await home.apply(bell("limit"), limit | {"links": {"out": "note", "error": "later"}}, NOTE, later)
    answers: list[Any] = [await home.ring(number) for number in range(3)]
    assert answers[:2] == [0, 1]
    assert answers[2]["status"] == 429
    assert 1790 <= int(answers[2]["headers"]["Retry-After"]) <= 1800


async def _told(home: World, text: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(text in line for line in home.log):  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.005)


# --- processes --------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/specs.db"
    address: str = request.getfixturevalue("postgres")
    return address


@pytest.fixture
def start(tmp_path: Path, url: str) -> Iterator[Any]:
    """Start a runtime of its own process: `start("--from", file)`."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"log-{len(started)}").open("wb") as log:
            command = [sys.executable, "-m", "penstock", "start", "--store", url, *arguments]
            environ = os.environ | {"HOME": str(tmp_path)}
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=tmp_path, env=environ
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_each_tick_of_a_minute_runs_once_while_a_runtime_is_killed(
    start: Any, url: str, tmp_path: Path
) -> None:
    (tmp_path / "graph.yaml").write_text(
        """
        - {kind: cron, name: tick, cron: "* * * * * *", links: {out: work}}
        - {kind: delay, name: work, duration: 100ms, links: {out: done}}
        - {kind: snippet, name: done, language: cel, code: self.time}
        """
    )
    first = start("--from", "graph.yaml")
    store = open_store(url)
    await store.open()
    try:
        rows = await ended(store, "default/tick", 2)
        second = start()
        began = time_of(rows[0].fid)
        await _until_time(began + KILL_AFTER_SECONDS)
        first.kill()
        await _until_time(began + TICKING_SECONDS)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(second.wait, PATIENCE_SECONDS) == 0
        rows = await ended(store, "default/tick", TICKING_SECONDS)
    finally:
        await store.close()
    found = ticks(rows)
    assert found[0] == began
    assert [later - earlier for earlier, later in itertools.pairwise(found)] == [1.0] * (len(found) - 1)
    assert found[-1] - began >= TICKING_SECONDS - 1
    assert {row.state for row in rows} == {RunState.COMPLETED}
    logs = [(tmp_path / name).read_text() for name in ("log-0", "log-1")]
    assert all("run started" in log for log in logs), "both took their turns"


async def _until_time(moment: float) -> None:
    """Wait for a point in time, in epoch seconds: the schedules of other processes go by it."""
    while time.time() < moment:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
