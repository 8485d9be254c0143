"""Runs in workers when their host stops, is killed, and comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.executors import flows
from tests.executors.conftest import lives, text_of, until

from penstock import Runtime
from penstock.core.states import RunState
from penstock.executors.subprocess import Pool


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that several hosts share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    return str(request.getfixturevalue("postgres"))


@contextmanager
def host(store: str, flow: str, **inputs: object) -> Iterator[subprocess.Popen[str]]:
    """A host process that executes one run; its first line is the run's id."""
    command = [sys.executable, "-m", "tests.executors.host", store, flow, json.dumps(inputs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("flow", ["stubborn", "endless_in_c"])
async def test_no_worker_outlives_a_killed_host(url: str, tmp_path: Path, flow: str) -> None:
    inputs = {"trace": str(tmp_path / "trace")} if flow == "stubborn" else {}
    with host(url, flow, **inputs) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        await until(lambda: text_of(children).split())
        workers = [int(pid) for pid in text_of(children).split()]
        process.send_signal(signal.SIGKILL)
        process.wait()
        await until(lambda: not any(lives(pid) for pid in workers))


@pytest.mark.slow
async def test_a_run_goes_on_in_a_worker_of_the_next_host(shared: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with host(shared, "sleeping", trace=str(trace), seconds=3.0) as process:
        assert process.stdout is not None
        fid = process.stdout.readline().strip()
        await until(lambda: text_of(trace))
        process.send_signal(signal.SIGKILL)
        process.wait()
    async with Runtime(shared, executors={"subprocess": Pool(workers=1)}) as runtime:
        run = runtime.get(fid)
        assert await run.result() == "after"
        assert (await run.row()).executor == "subprocess"
    assert text_of(trace).splitlines() in (["before", "after"], ["before", "before", "after"])


async def test_a_host_that_stops_puts_its_runs_aside_as_they_are(opened, tmp_path: Path) -> None:
    async with opened() as runtime:
        run = await runtime.start(flows.held, folder=str(tmp_path))
        await until((tmp_path / run.fid).exists)
        worker = int(text_of(tmp_path / run.fid))
    assert not lives(worker)
    (tmp_path / "go").touch()
    async with opened() as runtime:
        assert await runtime.get(run.fid).result() == "gone"
        states = [str(event.type) async for event in runtime.get(run.fid).events()]
    assert states[0] == "run.started"
    assert "run.cancelled" not in states
    assert states[-1] == "run.completed"


async def test_a_run_of_another_host_is_cancelled_in_its_worker(url: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with host(url, "patient", trace=str(trace)) as process:
        assert process.stdout is not None
        fid = process.stdout.readline().strip()
        await until(lambda: text_of(trace))
        async with Runtime(url, recover=False) as runtime:
            await runtime.cancel(fid, "from afar")
            row = await runtime.get(fid).row()
    assert row.state is RunState.CANCELLED
    assert text_of(trace).splitlines() == ["begun", "cleaned up"]
