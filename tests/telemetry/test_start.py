"""`penstock start` as those see it who look after it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

API = """
- kind: listener
  name: api
  protocol: http
  port: 0
  links: {out: wait}
- {kind: time.delay, name: wait, duration: 300ms}
"""

pytestmark = pytest.mark.slow


class Started:
    """A `penstock start` in a process of its own. at: what serves, by node; `observe` is one of them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.at: dict[str, str] = {}
        self.lines: list[dict[str, Any]] = []

    async def read_until(self, event: str) -> None:
        """Read lines of the log up to this event."""
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while line := await self.process.stderr.readline():
                found = json.loads(line)
                self.lines.append(found)
                if found["event"] == "observed":
                    self.at["observe"] = found["address"]
                if found["event"] == "serving":
                    self.at[found["node"]] = found["at"]
                if found["event"] == event:
                    return
        raise AssertionError(f"it ended without `{event}`: {self.lines}")


@asynccontextmanager
async def started(folder: Path, *arguments: str) -> AsyncIterator[Started]:
    (folder / "api.yaml").write_text(API, "utf-8")
    command = [sys.executable, "-m", "penstock", "start", "--from", "api.yaml", "--store", "runs.db"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        "--log",
        "json",
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stderr=asyncio.subprocess.PIPE,
    )
    found = Started(process)
    try:
        await found.read_until("serving")
        yield found
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_is_ready_is_counted_and_says_first_that_it_is_about_to_end(tmp_path: Path) -> None:
    async with (
        started(tmp_path, "--observe", "127.0.0.1:0") as start,
        aiohttp.ClientSession() as client,
    ):
        async with client.get(f"{start.at['observe']}/readyz") as answer:
            assert answer.status == 200
        asked = asyncio.create_task(client.get(start.at["api"]), name="asked")
        open_now = 'penstock_http_requests_in_flight{listener="api",namespace="default"} 1.0'
        async with asyncio.timeout(10):
            while open_now not in await _text(client, f"{start.at['observe']}/metrics"):
                assert not asked.done()
        start.process.send_signal(signal.SIGTERM)
        await start.read_until("stopping")
        async with client.get(f"{start.at['observe']}/readyz") as answer:
            assert answer.status == 503
            assert list((await answer.json())["reasons"]) == ["draining"]
        assert (await asked).status < 300  # what was under way came to its end
        async with asyncio.timeout(10):
            assert await start.process.wait() == 0


async def test_metrics_of_a_runtime_come_from_all_of_its_parts(tmp_path: Path) -> None:
    async with (
        started(tmp_path, "--observe", "127.0.0.1:0") as start,
        aiohttp.ClientSession() as client,
    ):
        async with client.get(start.at["api"]) as answer:
            assert answer.status < 300
        text = await _text(client, f"{start.at['observe']}/metrics")
    for sample in (
        'penstock_symbols{namespace="default",status="active"} 2.0',
        'penstock_loader_reloads_total{namespace="default",outcome="completed"}',
        'penstock_processes_ended_total{namespace="default",outcome="completed",trigger="api"} 1.0',
        'penstock_node_attempts_total{kind="time.delay",outcome="completed"} 1.0',
        'penstock_http_request_duration_seconds_count{listener="api",namespace="default"} 1.0',
    ):
        assert sample in text


async def _text(client: aiohttp.ClientSession, url: str) -> str:
    async with client.get(url) as answer:
        return await answer.text()
