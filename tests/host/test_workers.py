"""A host whose flows do to their workers what they should not; the host itself goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.host.process import HostProcess

if TYPE_CHECKING:
    import httpx

FLOWS = """
import os, signal, time
from penstock import Context, flow

def first() -> str:
    return "done before"

def die() -> None:
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)

def grow() -> None:
    held = []
    while True:
        held.append(b"x" * 2**23)

def spin() -> None:
    while True:
        pass

@flow(executor="subprocess")
async def killed(ctx: Context) -> None:
    await ctx.step(first)
    await ctx.step(die)

@flow(executor={"kind": "subprocess", "memory": "256MiB"})
async def greedy(ctx: Context) -> None:
    await ctx.step(first)
    await ctx.step(grow)

@flow(executor={"kind": "subprocess", "timeout": "1s"})
async def endless(ctx: Context) -> None:
    await ctx.step(first)
    await ctx.step(spin)

@flow(executor="subprocess")
async def waiting(ctx: Context, path: str) -> str:
    def wait() -> str:
        while not os.path.exists(path):
            time.sleep(0.01)
        return "gone"
    return await ctx.step(wait)

@flow
async def good(ctx: Context, number: int) -> int:
    return number + 1
"""
LOST = {"killed": "worker.killed", "greedy": "worker.memory", "endless": "worker.timeout"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[HostProcess]:
    (tmp_path / "flows.py").write_text(FLOWS)
    with HostProcess(tmp_path, "--flows", "flows.py") as host:
        yield host


def launch(client: httpx.Client, flow: str, **inputs: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/flows/{flow}/runs", json={"inputs": inputs})
    assert answer.status_code == 201, answer.text
    run: dict[str, Any] = answer.json()
    return run


def result(client: httpx.Client, fid: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/runs/{fid}/result", params={"wait": "20"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.slow
def test_a_run_that_loses_its_worker_fails_alone_and_the_host_answers_on(served: HostProcess) -> None:
    with served.client() as client:
        lost = {flow: launch(client, flow)["fid"] for flow in LOST}
        slowest = 0.0
        for number in range(100):
            began = time.monotonic()
            run = launch(client, "good", number=number)
            assert result(client, run["fid"])["result"] == number + 1
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2.0  # of a machine that is busy with other tests
        for flow, code in LOST.items():
            found = result(client, lost[flow])
            assert found["state"] == "failed"
            assert found["error"]["code"] == code
            shown = client.get(f"/api/v1/runs/{lost[flow]}").json()
            assert shown["executor"] == "subprocess"
            events = client.get(f"/api/v1/runs/{lost[flow]}/events").json()["items"]
            assert [each["outputs"] for each in events if each["type"] == "node.completed"] == [
                "done before"
            ]


@pytest.mark.slow
def test_a_run_in_a_worker_is_there_after_its_host_was_killed(
    served: HostProcess, tmp_path: Path
) -> None:
    path = str(tmp_path / "go")
    with served.client() as client:
        fid = launch(client, "waiting", path=path)["fid"]
    served.kill()
    with served.again() as again, again.client() as client:
        Path(path).touch()
        assert result(client, fid)["result"] == "gone"
