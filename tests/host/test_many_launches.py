"""Thousands of launches at a time, and a host that is killed in the middle of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.host_clients import launch
from tests.host.process import HostProcess

from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

COUNT = 10_000

FLOW = '''
from penstock import Context, flow, step

@step
def one(number: int) -> int:
    return number + 1

@flow
async def three(ctx: Context, number: int = 0) -> int:
    """Three steps, each of which is on disk before the next one begins."""
    number = await ctx.step(one, number)
    number = await ctx.step(one, number)
    return await ctx.step(one, number)
'''


async def completed(folder: Path, fids: set[str]) -> set[str]:
    """Which of these runs have completed, as the store has them."""
    store = open_store(f"sqlite:///{folder}/store.db")
    await store.open()
    try:
        rows = await store.runs(RunQuery(states=(RunState.COMPLETED,), flow="three"))
    finally:
        await store.close()
    return {row.fid for row in rows} & fids


async def all_completed(host: HostProcess, folder: Path, fids: set[str]) -> None:
    """Return when every one of these runs has completed."""
    with host.client() as client:
        for fid in fids:
            answer = client.get(f"/{fid}/result?wait=60")
            if answer.status_code != 200 or answer.json()["state"] != "completed":
                raise AssertionError(f"{fid}: {answer.status_code} {answer.text[:300]}")
            break
    missing = fids
    while missing:
        missing = missing - await completed(folder, missing)
        if missing:
            with host.client() as client:
                answer = client.get(f"/{next(iter(missing))}/result?wait=60")
                assert answer.json()["state"] == "completed", answer.text[:300]


async def test_ten_thousand_launches_are_answered_and_complete(tmp_path: Path) -> None:
    (tmp_path / "three.py").write_text(FLOW)
    with HostProcess(tmp_path, "--flows", "three.py", "--log-level", "error") as host:
        done = await launch(host.url, host.token, "three", count=COUNT)
        assert (len(done.fids), done.refused, done.cut) == (COUNT, [], 0)
        assert len(set(done.fids)) == COUNT
        await all_completed(host, tmp_path, set(done.fids))


async def test_every_run_that_was_answered_completes_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / "three.py").write_text(FLOW)
    with HostProcess(tmp_path, "--flows", "three.py", "--log-level", "error") as host:

        def kill_in_the_middle(answered: int) -> None:
            if answered == COUNT // 2:
                host.process.kill()

        done = await launch(host.url, host.token, "three", count=COUNT, answered=kill_in_the_middle)
        assert COUNT // 2 <= len(done.fids) < COUNT
        assert done.refused == []
        host.end()
        with host.again() as next_host:
            await all_completed(next_host, tmp_path, set(done.fids))
