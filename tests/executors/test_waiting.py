"""Runs that wait: for a worker, for a timer, for a person."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.executors import flows
from tests.executors.conftest import text_of, until

from penstock import Runtime
from penstock.core.errors import LockClosed
from penstock.core.states import RunState
from penstock.executors.subprocess.line import Line


async def state_of(runtime: Runtime, fid: str) -> RunState:
    row = await runtime.get(fid).row()
    return row.state


async def becomes(runtime: Runtime, fid: str, state: RunState) -> None:
    async with asyncio.timeout(10):
        while await state_of(runtime, fid) is not state:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_twenty_runs_share_two_workers(opened) -> None:
    async with opened("memory:", workers=2) as runtime:
        runs = [await runtime.start(flows.doubled, number=number) for number in range(20)]
        results = [await run.result() for run in runs]
    assert [result["number"] for result in results] == [2 * number for number in range(20)]
    assert len({result["pid"] for result in results}) <= 2


async def test_a_run_in_the_line_says_that_it_waits_for_a_worker(opened, tmp_path: Path) -> None:
    async with opened(workers=1) as runtime:
        first = await runtime.start(flows.held, folder=str(tmp_path))
        await until((tmp_path / first.fid).exists)
        second = await runtime.start(flows.doubled, number=1)
        await becomes(runtime, second.fid, RunState.WAITING)
        (tmp_path / "go").touch()
        assert (await second.result())["number"] == 2
        told = [(str(event.type), event.data) async for event in second.events()]
    assert told[1][0] == "run.waiting"
    assert told[1][1]["for"] == "worker"
    assert told[2] == ("run.resumed", {"reason": "worker"})


async def test_a_run_in_the_line_can_be_cancelled(opened, tmp_path: Path) -> None:
    async with opened(workers=1) as runtime:
        first = await runtime.start(flows.held, folder=str(tmp_path))
        await until((tmp_path / first.fid).exists)
        second = await runtime.start(flows.doubled, number=1)
        await second.cancel()
        assert await state_of(runtime, second.fid) is RunState.CANCELLED
        third = await runtime.start(flows.doubled, number=2)
        (tmp_path / "go").touch()
        assert (await third.result())["number"] == 4


async def test_a_run_in_the_line_is_there_after_a_restart(opened, tmp_path: Path) -> None:
    async with opened(workers=1) as runtime:
        first = await runtime.start(flows.held, folder=str(tmp_path))
        await until((tmp_path / first.fid).exists)
        second = await runtime.start(flows.doubled, number=3)
        await becomes(runtime, second.fid, RunState.WAITING)
    (tmp_path / "go").touch()
    async with opened(workers=1) as runtime:
        assert (await runtime.get(second.fid).result())["number"] == 6


async def test_flows_are_served_in_turn() -> None:
    line, served = Line(1), []

    async def one(flow: str, number: int) -> None:
        async with line.place(flow):
            served.append(f"{flow}{number}")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for flow, count in (("many", 4), ("few", 1), ("some", 2)):
            for number in range(count):
                group.create_task(one(flow, number))
    assert served == ["many0", "many1", "few0", "some0", "many2", "some1", "many3"]
    assert line.free


async def test_a_place_that_comes_to_who_has_left_goes_to_the_next() -> None:
    line, served = Line(1), []

    async def one(name: str, over: asyncio.Event) -> None:
        async with line.place("flow"):
            served.append(name)
            await over.wait()

    over = asyncio.Event()
    first = asyncio.create_task(one("first", over))
    await asyncio.sleep(0)
    second = asyncio.create_task(one("second", over))
    third = asyncio.create_task(one("third", over))
    await asyncio.sleep(0)
    assert len(line) == 2
    second.cancel()
    over.set()
    await asyncio.gather(first, third)
    assert served == ["first", "third"]
    assert line.free


@pytest.mark.slow
async def test_a_run_that_only_waits_leaves_its_worker_and_comes_back(opened, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with opened(workers=1, evict_after=0.0) as runtime:
        run = await runtime.start(flows.sleeping, trace=str(trace), seconds=2.5)
        await becomes(runtime, run.fid, RunState.WAITING)
        await until(lambda: runtime.resident == 0)
        assert (await (await runtime.start(flows.doubled, number=1)).result())["number"] == 2
        assert await run.result() == "after"
        events = [event async for event in run.events()]
    assert text_of(trace).splitlines() == ["before", "after"]
    types = [str(event.type) for event in events]
    assert types.count("node.message") == 1
    assert types.count("run.waiting") == types.count("run.resumed") == 1


async def test_a_lock_of_a_run_in_a_worker_is_released(runtime: Runtime) -> None:
    run = await runtime.start(flows.asking)
    await becomes(runtime, run.fid, RunState.WAITING)
    assert (await run.row()).locks == 1
    [lock] = await runtime.locks(run.fid)
    decision = await runtime.submit(run.fid, lock.lid, "yes")
    assert decision.outcome == "released"
    assert await run.result() == "yes"
    assert (await run.row()).locks == 0
    with pytest.raises(LockClosed):
        await runtime.submit(run.fid, lock.lid, "no")


async def test_a_lock_is_released_after_its_run_has_left_the_worker(opened) -> None:
    async with opened(evict_after=0.0) as runtime:
        run = await runtime.start(flows.asking)
        await becomes(runtime, run.fid, RunState.WAITING)
        await until(lambda: runtime.resident == 0)
        [lock] = await runtime.locks(run.fid)
        await runtime.submit(run.fid, lock.lid, "no")
        assert await run.result() == "no"


async def test_a_lock_survives_the_death_of_its_worker(opened) -> None:
    from penstock.core.policies import WorkerLimits

    async with opened(limits=WorkerLimits(retries=1)) as runtime:
        run = await runtime.start(flows.asking)
        await becomes(runtime, run.fid, RunState.WAITING)
        [lock] = await runtime.locks(run.fid)
        runtime.executors.named("subprocess").workers[0].kill()
        await runtime.submit(run.fid, lock.lid, "yes")
        assert await run.result() == "yes"
        assert [str(event.type) async for event in run.events()].count("lock.candidate") == 1


@pytest.mark.parametrize("evict_after", [0.0, 0.01, 5.0])
async def test_no_candidate_is_lost_between_a_run_and_its_worker(opened, evict_after: float) -> None:
    async with opened(evict_after=evict_after) as runtime:
        run = await runtime.start(flows.insisting)
        await becomes(runtime, run.fid, RunState.WAITING)
        [lock] = await runtime.locks(run.fid)
        for _ in range(6):
            decision = await runtime.submit(run.fid, lock.lid, "no")
            assert decision.outcome == "denied"
        at_once = await asyncio.gather(*(runtime.submit(run.fid, lock.lid, "never") for _ in range(5)))
        assert {decision.outcome for decision in at_once} == {"denied"}
        await runtime.submit(run.fid, lock.lid, "yes")
        assert await run.result() == "yes"
        types = [str(event.type) async for event in run.events()]
    assert types.count("lock.candidate") == 12
    assert types.count("lock.denied") == 11
