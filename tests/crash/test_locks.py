"""Deaths at the named points of a lock: nobody is told what the journal does not hold."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import TYPE_CHECKING

import pytest
from tests.crash.flows import fid_of, store_at
from tests.crash.locking import asking

from penstock import Runtime
from penstock.core.events import EventType
from penstock.core.locks import Decision, LockState, fold_locks
from penstock.core.record import RunRecord
from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.testing.crash import KILLED, Victim

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 6
POINTS = ["lock.opened", "lock.candidate", "lock.decided", "commit.begins", "commit.done"]


def victim_of(folder: Path, count: int, url: str) -> Victim:
    command = [sys.executable, "-m", "tests.crash.locking", str(folder), str(count), url]
    return Victim(command, log=folder / "log")


@pytest.mark.parametrize("point", POINTS)
async def test_locks_survive_a_death_at(point: str, tmp_path: Path, url: str) -> None:
    victim = victim_of(tmp_path, RUNS, url)
    for hit in (1, 8, 3):
        assert victim.run(crash_at=point, hit=hit) == KILLED, victim.output()[-2000:]
    assert victim.run() == 0, victim.output()[-4000:]
    await judge(tmp_path, RUNS, url)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_locks_survive_deaths_at_any_moment(tmp_path: Path, url: str) -> None:
    chance = random.Random(20)
    victim = victim_of(tmp_path, 40, url)
    for _ in range(12):
        crash_at, hit = chance.choice(POINTS), chance.randrange(1, 60)
        if victim.run(crash_at=crash_at, hit=hit) == 0:
            break
    assert victim.run() == 0, victim.output()[-4000:]
    await judge(tmp_path, 40, url)


async def judge(folder: Path, count: int, url: str) -> None:
    """Hold what people were told against what the journal says."""
    told = [json.loads(line) for line in (folder / "told").read_text().splitlines()]
    decided: dict[tuple[str, str, str], str] = {}
    store = store_at(url)
    await store.open()
    try:
        for number in range(count):
            events = await store.events(fid_of(number))
            record = RunRecord.fold(events, fid=fid_of(number))
            assert record.state is RunState.COMPLETED, record.error
            opened = [event for event in events if event.type == EventType.LOCK_OPENED]
            released = [event for event in events if event.type == EventType.LOCK_RELEASED]
            assert len(opened) == len(released) == len(record.locks)
            assert {lock.state for lock in record.locks.values()} == {LockState.RELEASED}
            assert record.result == [lock.answer for lock in record.locks.values()]
            for lock in record.locks.values():
                ids = [each.id for each in lock.candidates]
                assert len(ids) == len(set(ids))
                assert [each.outcome for each in lock.candidates].count("released") == 1
                assert lock.answer in (4, 6)
                for each in lock.candidates:
                    decided[record.fid, lock.lid, each.id] = each.outcome
        assert await store.runs(RunQuery(locked=True)) == []
    finally:
        await store.close()
    assert told, "somebody was told something"
    assert all(decided[fid, lid, each] == outcome for fid, lid, each, outcome in told)


async def test_a_candidate_finds_its_run_though_the_process_died(tmp_path: Path, url: str) -> None:
    victim = victim_of(tmp_path, 1, url)
    assert victim.run(crash_at="lock.candidate") == KILLED
    async with Runtime(store_at(url), flows=[asking], recover=False) as runtime:
        run = runtime.get(fid_of(0))
        for name in ("left", "right", "last"):
            lid = await opened(runtime, name)
            assert not (await runtime.submit(run.fid, lid, 5, id="odd")).released
            assert await runtime.submit(run.fid, lid, 8, id="even") == Decision("released", value=8)
        async with asyncio.timeout(10):
            assert await run.result() == [8, 8, 8]


async def opened(runtime: Runtime, name: str) -> str:
    """The id of the open lock of this name, soon."""
    fid = fid_of(0)
    async with asyncio.timeout(10):
        while True:
            events = await runtime.store.events(fid)
            for lock in fold_locks(events).values():
                if lock.open and lock.name == name:
                    return lock.lid
            await runtime.store.changed(fid, after=events[-1].seq)
