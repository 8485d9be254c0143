"""Launches of a durable flow of three nodes through the API of a host, at 64 connections."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from benchmarks.host_clients import Launched, launch, project
from benchmarks.http_load import free_port

COUNT: Final = 10_000
ROUNDS: Final = 3


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        rounds = [await _round(project(Path(folder) / str(number))) for number in range(ROUNDS)]
    best = max(rounds, key=lambda done: done.rate)
    return [
        Figure(
            name="launches of three durable nodes through the API, 64 connections",
            value=best.rate,
            unit="/s",
            limit=1500,
            more=True,
        ),
        Figure(name="launch through the API, p50", value=best.latency_ms(0.5), unit="ms"),
        Figure(name="launch through the API, p99", value=best.latency_ms(0.99), unit="ms"),
    ]


async def _round(folder: Path) -> Launched:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "penstock", "serve", "--store", "runs.db"),
        *("--flows", "three.yaml", "--bind", f"127.0.0.1:{port}", "--log-level", "error"),
        cwd=folder,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        token = re.search(r"pst_[\w.-]+", (await process.stderr.readline()).decode())
        assert token is not None
        done = await launch(f"http://127.0.0.1:{port}", token[0], "three", count=COUNT)
        if len(done.fids) != COUNT:
            raise RuntimeError(f"{COUNT - len(done.fids)} launches failed: {done.refused[:3]}")
        return done
    finally:
        process.kill()
        await process.wait()
