"""What following runs costs a host: many at once, how late they are, and while nothing happens."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.crowd import CrowdHost, Listener, crowd_host, percentile
from benchmarks.figure import Figure

if TYPE_CHECKING:
    from io import FileIO

FLOWS: Final = Path(__file__).with_name("streams_flows.py")

SUBSCRIBERS, EVENTS = 200, 10_000
ACTIVE, WORDS, PAUSE_MS = 100, 200, 50.0
IDLE, IDLE_RUNS, IDLE_SECONDS = 1_000, 100, 20.0


class Followed(NamedTuple):
    """What a crowd saw of one run.

    exact: everyone saw every seq once and in order. cpu_us: of the host, per event that reached
    somebody.
    """

    exact: bool
    seconds: float
    cpu_us: float


async def follow_one(host: CrowdHost, *, subscribers: int, events: int, cut: bool) -> Followed:
    """One run that talks, and a crowd that follows it; cut: at random times, and resumed."""
    chance = random.Random(7).random  # noqa: S311 - it is to be the same each time
    (fid,) = await host.launch("talking", {"count": events, "batch": 50, "pause_ms": 10.0})
    crowd = [Listener(host, fid) for _ in range(subscribers)]
    cpu, began = host.cpu_seconds, time.perf_counter()
    seconds = 4.0 if cut else 1000.0
    await asyncio.gather(*(listener.restless(chance, seconds=seconds) for listener in crowd))
    spent, cpu = time.perf_counter() - began, host.cpu_seconds - cpu
    whole = list(range(1, crowd[0].seqs[-1] + 1))
    exact = len(whole) > events and all(listener.seqs == whole for listener in crowd)
    return Followed(exact, spent, cpu / (subscribers * len(whole)) * 1e6)


class Late(NamedTuple):
    """How late events reached clients, in ms, and how long the disk took for one write meanwhile.

    An event is shown when it is on disk, so that it is late by that at the least.
    """

    events_ms: list[float]
    disk_ms: list[float]


async def lateness(host: CrowdHost, *, runs: int, words: int, pause_ms: float) -> Late:
    """So many runs talk, each to a client of its own."""
    inputs = {"count": words, "batch": 1, "pause_ms": pause_ms}
    fids = await host.launch("talking", inputs, times=runs)
    crowd = [await Listener(host, fid, times=True).connect() for fid in fids]
    talking = asyncio.gather(*(listener.closed for listener in crowd))
    disk_ms: list[float] = []
    with (host.folder / "disk").open("wb", buffering=0) as file:
        while not talking.done():
            disk_ms.append(await asyncio.to_thread(_write_ms, file))
            await asyncio.sleep(0.02)
    await talking
    return Late([late for listener in crowd for late in listener.late_ms], disk_ms)


def _write_ms(file: FileIO) -> float:
    """Write a page to the disk."""
    began = time.perf_counter()
    file.write(bytes(4096))
    os.fdatasync(file.fileno())
    return (time.perf_counter() - began) * 1000


async def idle_share(host: CrowdHost, *, subscribers: int, runs: int, seconds: float) -> float:
    """The share of a core that the host takes while subscribers wait and nothing happens."""
    fids = await host.launch("waiting", {}, times=runs) if subscribers else []
    crowd = [await Listener(host, fids[number % runs]).connect() for number in range(subscribers)]
    await asyncio.sleep(6)  # until runs that only wait have left memory
    cpu, began = host.cpu_seconds, time.perf_counter()
    await asyncio.sleep(seconds)
    share = (host.cpu_seconds - cpu) / (time.perf_counter() - began)
    assert all(not listener.closed.done() for listener in crowd)
    for listener in crowd:
        await listener.cut()
    return share


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as busy_folder, tempfile.TemporaryDirectory() as idle_folder:
        async with crowd_host(Path(busy_folder), FLOWS) as host:
            alone = await follow_one(host, subscribers=1, events=EVENTS, cut=False)
            crowded = await follow_one(host, subscribers=SUBSCRIBERS, events=EVENTS, cut=True)
            quiet = await lateness(host, runs=1, words=WORDS, pause_ms=PAUSE_MS)
            busy = await lateness(host, runs=ACTIVE, words=WORDS, pause_ms=PAUSE_MS)
        async with crowd_host(Path(idle_folder), FLOWS) as host:
            nobody = await idle_share(host, subscribers=0, runs=0, seconds=IDLE_SECONDS)
            waiting = await idle_share(host, subscribers=IDLE, runs=IDLE_RUNS, seconds=IDLE_SECONDS)
    assert alone.exact
    assert crowded.exact
    return [
        Figure(
            name=f"{SUBSCRIBERS} follow {EVENTS:,} events, cut and resumed, processor",
            value=crowded.cpu_us,
            unit="µs/event",
            baseline="one who is not cut, and the run itself",
            baseline_value=alone.cpu_us,
        ),
        Figure(name="the same, from start to end", value=crowded.seconds, unit="s"),
        Figure(
            name=f"event to client, p99, {ACTIVE} runs talk",
            value=percentile(busy.events_ms, 0.99),
            unit="ms",
            baseline="one write to the disk, p99",
            baseline_value=percentile(busy.disk_ms, 0.99),
            limit=20.0,
        ),
        Figure(
            name="the same, p50",
            value=percentile(busy.events_ms, 0.5),
            unit="ms",
            baseline="one run talks",
            baseline_value=percentile(quiet.events_ms, 0.5),
        ),
        Figure(
            name=f"{IDLE:,} follow runs that wait",
            value=waiting * 100,
            unit="% of a core",
            baseline="nobody does",
            baseline_value=nobody * 100,
            limit=2.0,
        ),
    ]
