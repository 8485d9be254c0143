"""What 100,000 runs hold that only wait, and whether they go on."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figure import Figure
from penstock import Context, Runtime, flow
from penstock.testing.clock import FakeClock

RUNS, AT_A_TIME = 100_000, 1_000
DAY = 86_400.0


@flow
async def one_day(ctx: Context, number: int) -> int:
    await ctx.sleep("1d")
    return number


def _resident_mib() -> float:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


async def _hold(folder: str) -> dict[str, float]:
    """In a process of its own: start the runs, let them wait, measure, and let a day pass."""
    clock = FakeClock()
    async with Runtime(f"sqlite:///{folder}/penstock.db", clock=clock, evict_after=0.0) as runtime:
        before = _resident_mib()
        fids = []
        for first in range(0, RUNS, AT_A_TIME):
            runs = await asyncio.gather(
                *(runtime.start(one_day, number=number) for number in range(first, first + AT_A_TIME))
            )
            fids += [run.fid for run in runs]
            clock.advance(0.001)
        while runtime.resident:
            clock.advance(0.001)
            await asyncio.sleep(0.001)
        gc.collect()
        held = _resident_mib()
        clock.advance(DAY)
        right = 0
        for number, fid in enumerate(fids):
            right += await runtime.get(fid).result() == number
    return {"before": before, "held": held, "right": right}


def _in_a_process_of_its_own() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "benchmarks.memory", folder]
        output = subprocess.run(argv, check=True, capture_output=True, text=True).stdout  # noqa: S603
    found: dict[str, float] = json.loads(output)
    return found


async def measure() -> list[Figure]:
    found = await asyncio.to_thread(_in_a_process_of_its_own)
    if found["right"] != RUNS:
        raise AssertionError(f"only {found['right']} of {RUNS} runs went on with the right result")
    return [
        Figure(
            name="process that holds 100,000 runs waiting for a day",
            value=found["held"],
            unit="MiB",
            baseline="the same process before",
            baseline_value=found["before"],
            limit=200,
        )
    ]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_hold(sys.argv[1]))))  # noqa: T201
