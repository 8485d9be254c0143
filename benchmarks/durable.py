"""What a durable step costs, beside what the disk asks for it, and the server of a database."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure
from penstock import Context, Runtime, flow
from penstock.engine.collector import settle
from penstock.testing.postgres import PostgresServer

RUNS, STEPS, SEQUENTIAL = 1_000, 10, 1_000


async def effect(number: int) -> int:
    return number


@flow
async def steps(ctx: Context, count: int) -> int:
    total = 0
    for number in range(count):
        total += await ctx.step(effect, number)
    return total


def _database(path: Path) -> sqlite3.Connection:
    """A bare database with the journal's schema and settings."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE events (id INTEGER PRIMARY KEY, run INTEGER, first INTEGER, body BLOB)"
    )
    database.execute("CREATE UNIQUE INDEX place ON events (run, first)")
    return database


def raw_commit_seconds(path: Path, rows: int) -> float:
    """Seconds of one commit of one 200-byte row, on the average."""
    database = _database(path)
    body = b"x" * 200
    began = time.perf_counter()
    for number in range(rows):
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO events (run, first, body) VALUES (1, ?, ?)", (number, body))
        database.execute("COMMIT")
    spent = time.perf_counter() - began
    database.close()
    return spent / rows


def raw_group_rate(path: Path, groups: int) -> float:
    """Rows per second when 1,000 rows share a commit."""
    database = _database(path)
    body = b"x" * 200
    began = time.perf_counter()
    for group in range(groups):
        database.execute("BEGIN IMMEDIATE")
        rows = [(run, group, body) for run in range(RUNS)]
        database.executemany("INSERT INTO events (run, first, body) VALUES (?, ?, ?)", rows)
        database.execute("COMMIT")
    spent = time.perf_counter() - began
    database.close()
    return groups * RUNS / spent


async def raw_postgres_rate(url: str, groups: int) -> float:
    """Rows per second when 1,000 rows share a commit of a bare connection, with `unnest`."""
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE bare (run bigint, first bigint, body bytea, PRIMARY KEY (run, first))"
    )
    insert = "INSERT INTO bare SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])"
    runs, body = list(range(RUNS)), [b"x" * 200] * RUNS
    began = time.perf_counter()
    for group in range(groups):
        await connection.execute(insert, runs, [group] * RUNS, body)
    spent = time.perf_counter() - began
    await connection.close()
    return groups * RUNS / spent


async def _postgres_figure() -> Figure:
    with PostgresServer(fsync=True) as server:
        bare = max([await raw_postgres_rate(server.database(), STEPS) for _ in range(3)])
        async with Runtime(server.database()) as runtime:
            await (await runtime.start(steps, count=10)).result()
            rate = max([await _concurrent_rate(runtime) for _ in range(3)])
    return Figure(
        name="1,000 runs × 10 durable steps, PostgreSQL",
        value=rate,
        unit="steps/s",
        baseline="bare asyncpg and unnest, 1,000 a commit",
        baseline_value=bare,
        limit=30_000,
        more=True,
    )


async def _sequential_seconds(runtime: Runtime) -> float:
    began = time.perf_counter()
    run = await runtime.start(steps, count=SEQUENTIAL)
    await run.result()
    return (time.perf_counter() - began) / SEQUENTIAL


async def _concurrent_rate(runtime: Runtime) -> float:
    began = time.perf_counter()
    runs = await asyncio.gather(*(runtime.start(steps, count=STEPS) for _ in range(RUNS)))
    await asyncio.gather(*(run.result() for run in runs))
    return RUNS * STEPS / (time.perf_counter() - began)


@contextmanager
def settled() -> Iterator[None]:
    """The collector as it is in a process that serves, such as that of `penstock serve`."""
    before = gc.get_threshold()
    settle()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


async def measure() -> list[Figure]:
    with settled():
        return await _measure()


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        async with Runtime(f"sqlite:///{place / 'penstock.db'}") as runtime:
            await (await runtime.start(steps, count=10)).result()
            raw, sequential = [], []
            # Turn about, so that a disk that is slower for a while is so for both.
            for turn in range(3):
                raw.append(raw_commit_seconds(place / f"raw{turn}.db", SEQUENTIAL))
                sequential.append(await _sequential_seconds(runtime))
            rate = max([await _concurrent_rate(runtime) for _ in range(3)])
        bare = max(raw_group_rate(place / f"group{turn}.db", STEPS) for turn in range(3))
    return [
        Figure(
            name="1,000 runs × 10 durable steps",
            value=rate,
            unit="steps/s",
            baseline="bare rows, 1,000 a commit",
            baseline_value=bare,
            limit=40_000,
            more=True,
        ),
        Figure(
            name="one run of 1,000 durable steps, per step",
            value=min(sequential) * 1e6,
            unit="µs",
            baseline="bare commit of one row",
            baseline_value=min(raw) * 1e6,
            limit=1.5,
            of_baseline=True,
        ),
        await _postgres_figure(),
    ]
