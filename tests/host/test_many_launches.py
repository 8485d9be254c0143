"""Thousands of launches at a time, and a host that is killed in the middle of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.host_clients import launch, project
from tests.host.process import HostProcess

from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

COUNT = 10_000


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
    missing = fids - await completed(folder, fids)
    while missing:
        with host.client() as client:
            answer = client.get(f"/{next(iter(missing))}/result?wait=60")
        assert answer.status_code == 200, answer.text[:300]
        assert answer.json()["state"] == "completed", answer.text[:300]
        missing -= await completed(folder, missing)


async def test_ten_thousand_launches_are_answered_and_complete(tmp_path: Path) -> None:
    project(tmp_path)
    with HostProcess(tmp_path, "--flows", "three.yaml", "--log-level", "error") as host:
        done = await launch(host.url, host.token, "three", count=COUNT)
        assert (len(done.fids), done.refused, done.cut) == (COUNT, [], 0)
        assert len(set(done.fids)) == COUNT
        await all_completed(host, tmp_path, set(done.fids))


async def test_every_run_that_was_answered_completes_after_a_kill(tmp_path: Path) -> None:
    project(tmp_path)
    with HostProcess(tmp_path, "--flows", "three.yaml", "--log-level", "error") as host:

        def kill_in_the_middle(answered: int) -> None:
            if answered == COUNT // 2:
                host.process.kill()

        done = await launch(host.url, host.token, "three", count=COUNT, answered=kill_in_the_middle)
        assert COUNT // 2 <= len(done.fids) < COUNT
        assert done.refused == []
        host.end()
        with host.again() as next_host:
            await all_completed(next_host, tmp_path, set(done.fids))
