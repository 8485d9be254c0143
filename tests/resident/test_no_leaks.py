"""Processes that fail by the thousand leave nothing behind: no rows, connections or descriptors."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import asyncpg
import pytest

from penstock.kinds.http.listener import Listener

if TYPE_CHECKING:
    from tests.resident.world import World

Spec = dict[str, Any]

ENDS: dict[str, Spec] = {
    "throw": {"kind": "throw", "message": "not today"},
    "refuse": {"kind": "snippet", "language": "json", "code": '{"status": 409}'},
    "mistake": {"kind": "sql", "statement": "SELEC 1"},
    "twice": {"kind": "sql", "statement": ["INSERT INTO t (once) VALUES (1)"] * 2},
    "slow": {"kind": "delay", "duration": "1h", "timeout": "20ms"},
    "gone": {"kind": "delay", "duration": "1h"},
}
"""How a process goes wrong behind its writes: the path of a request → its last node."""

STATUS = {"throw": 500, "refuse": 409, "mistake": 500, "twice": 500, "slow": 500}


class Held(NamedTuple):
    """What this process has open, and the database server for it."""

    descriptors: int
    threads: int
    tasks: int
    sessions: int
    in_transaction: int


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Observer:
    """Looks at the process and into the databases from outside of the graph."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def held(self) -> Held:
        sessions, in_transaction = await self._connection.fetchrow(
            "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in%') FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return Held(
            _descriptors(),
            threading.active_count(),
            len(asyncio.all_tasks()),
            sessions,
            in_transaction,
        )

    async def no_more_than(self, before: Held) -> Held:
        """What is held when it is no more than before, or after ten seconds."""
        for _ in range(1000):
            found = await self.held()
            if all(now <= then for now, then in zip(found, before, strict=True)):
                break
            await asyncio.sleep(0.01)
        return found


def graph(lite: str, postgres: str) -> list[Spec]:
    """A listener; for each end, a row in either database and then the end."""
    cases = [{"when": f"self.path == '/{end}'", "port": f"out[{n}]"} for n, end in enumerate(ENDS)]
    links = {f"out[{n}]": f"pg-{end}" for n, end in enumerate(ENDS)}
    # Fewer connections than clients: all of them are open whenever anybody looks.
    insert = {"kind": "sql", "statement": "INSERT INTO t (path) VALUES (:path)", "pool_size": 4}
    specs: list[Spec] = [
        {"kind": "listener", "name": "api", "port": 0, "links": {"out": "which"}},
        {"kind": "switch", "name": "which", "match": cases, "links": links},
    ]
    for end, last in ENDS.items():
        keep = {"kind": "snippet", "name": f"keep-{end}", "language": "json", "code": '{"path": "/x"}'}
        specs += [
            {**insert, "name": f"pg-{end}", "url": postgres, "links": {"out": f"keep-{end}"}},
            {**keep, "links": {"out": f"lite-{end}"}},
            {**insert, "name": f"lite-{end}", "url": lite, "links": {"out": end}},
            {
                **last,
                "name": end,
                **({"url": postgres, "pool_size": 4} if last["kind"] == "sql" else {}),
            },
        ]
    return specs


async def ask(session: aiohttp.ClientSession, origin: str, end: str) -> None:
    if end == "gone":
        with pytest.raises(TimeoutError):
            await session.get(f"{origin}/gone", timeout=aiohttp.ClientTimeout(total=0.05))
        return
    async with session.get(f"{origin}/{end}") as response:
        await response.read()
        assert response.status == STATUS[end]


async def ask_all(origin: str, ends: list[str], *, clients: int) -> None:
    """Ask for all of them, so many at a time, over connections that are kept alive."""
    waiting = iter(ends)

    async def work() -> None:
        for end in waiting:
            await ask(session, origin, end)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work() for _ in range(clients)))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_ten_thousand_failing_requests_leave_nothing_open(
    home: World, postgres: str, tmp_path: Path
) -> None:
    import sqlite3

    lite = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    lite.execute("PRAGMA journal_mode = WAL")
    lite.execute("CREATE TABLE t (path TEXT)")
    watcher = await asyncpg.connect(postgres)
    try:
        await watcher.execute("CREATE TABLE t (path TEXT, once INT UNIQUE)")
        observer = Observer(watcher)
        await home.apply(*graph(f"sqlite:///{tmp_path}/test.db", postgres))
        node = home.resident.table.symbols["api"].node
        assert isinstance(node, Listener)
        origin = node.origin()
        quick, all_ends = ["throw", "refuse", "mistake", "twice"], list(ENDS)
        await ask_all(origin, all_ends * 10 + quick * 25, clients=16)
        before = await observer.no_more_than(Held(0, 0, 0, 0, 0))
        await ask_all(origin, (all_ends + quick * 99) * 25, clients=16)
        after = await observer.no_more_than(before)
        assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
        assert after.in_transaction == 0
        assert await watcher.fetchval("SELECT count(*) FROM t") == 0
        assert lite.execute("SELECT count(*) FROM t").fetchone() == (0,)
    finally:
        await watcher.close()
        lite.close()


async def test_a_reply_that_says_no_rolls_back_and_one_that_says_yes_commits(
    home: World, tmp_path: Path
) -> None:
    import sqlite3

    lite = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    lite.execute("CREATE TABLE t (path TEXT)")
    url = f"sqlite:///{tmp_path}/test.db"
    reply = {"kind": "snippet", "name": "reply", "language": "jinja", "native": True}
    await home.apply(
        {"kind": "listener", "name": "api", "port": 0, "links": {"out": "keep"}},
        {
            "kind": "sql",
            "name": "keep",
            "url": url,
            "statement": "INSERT INTO t VALUES (:path) RETURNING path",
            "mode": "value",
            "links": {"out": "reply"},
        },
        {**reply, "code": "{{ {'status': 422 if input == '/no' else 201} }}"},
    )
    node = home.resident.table.symbols["api"].node
    assert isinstance(node, Listener)
    async with aiohttp.ClientSession() as session:
        for path, status in (("/no", 422), ("/yes", 201)):
            async with session.get(f"{node.origin()}{path}") as response:
                assert response.status == status
    assert lite.execute("SELECT path FROM t").fetchall() == [("/yes",)]
    lite.close()
