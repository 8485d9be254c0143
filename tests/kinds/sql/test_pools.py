"""Connections: shared, bounded, and given back whatever happens."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.duration import Duration
from penstock.core.errors import NodeError, RunCancelled, RunFailed
from penstock.engine.leases import Leases
from penstock.kinds.sql.engine import load_driver
from penstock.kinds.sql.pool import Pool, PoolSettings
from penstock.kinds.sql.transaction import Transaction

from .world import World, insert, until

if TYPE_CHECKING:
    from penstock import Runtime

FAIL = {"kind": "throw", "name": "fail", "message": "not today"}


async def outcome(runtime: Runtime, flow: Any) -> Any:
    run = await runtime.launch(flow)
    try:
        return await run.result()
    except RunFailed as failed:
        return failed.error.code


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nodes_that_say_the_same_share_a_pool(pg: World) -> None:
    async with pg.runtime() as runtime:
        for number in range(5):
            nodes = [
                {"kind": "sql", "name": f"n{number}-{each}", "statement": "SELECT 1"}
                for each in range(3)
            ]
            await outcome(runtime, pg.flow(nodes))
        assert await pg.database.sessions() == 1

    async def none_left() -> bool:
        return await pg.database.sessions() == 0

    await until(none_left)


async def test_a_process_waits_for_a_connection_that_others_have(world: World) -> None:
    async with world.runtime() as runtime:
        holding = world.flow([insert("ada", "gate", pool_size=1), {"kind": "gate", "name": "gate"}])
        waiting = world.flow([insert("grace", pool_size=1)])
        first = await runtime.launch(holding)
        await world.reached.wait()
        second = await runtime.launch(waiting)
        world.opened.set()
        await asyncio.gather(first.result(), second.result())
    assert await world.database.names() == ["ada", "grace"]


async def test_no_free_connection_is_told_in_time(world: World) -> None:
    config = {"pool_size": 1, "pool_timeout": "50ms"}
    async with world.runtime() as runtime:
        holding = world.flow([insert("ada", "gate", **config), {"kind": "gate", "name": "gate"}])
        first = await runtime.launch(holding)
        await world.reached.wait()
        assert await outcome(runtime, world.flow([insert("grace", **config)])) == "sql.timeout"
        world.opened.set()
        await first.result()


async def test_more_processes_than_connections_all_come_to_their_end(world: World) -> None:
    """With threads of one pool for all, those that wait for a lock would starve its holder."""
    names = [f"n{number:02}" for number in range(60)]
    async with world.runtime() as runtime:
        flows = [world.flow([insert(name, "more"), insert("more", value=f"{name}x")]) for name in names]
        runs = [await runtime.launch(flow) for flow in flows]
        await asyncio.gather(*(run.result() for run in runs))
    assert len(await world.database.names()) == 120


async def test_a_connection_that_the_server_ended_meanwhile_is_replaced(
    pg: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.kinds.sql.engine._IDLE_SECONDS", 0.0)
    end_others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def none_left() -> bool:
        return await pg.database.sessions() == 0

    async with pg.runtime() as runtime:
        flow = pg.flow([{"kind": "sql", "name": "one", "statement": "SELECT 1", "mode": "value"}])
        for _ in range(3):
            assert await outcome(runtime, flow) == 1
            await pg.database.execute(end_others)
            await until(none_left)


async def test_each_new_connection_begins_with_the_statements_given(lite: World) -> None:
    await lite.database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    await lite.database.execute("CREATE TABLE b (a INTEGER REFERENCES a)")
    assert await lite.sql("INSERT INTO b VALUES (1)") == 1
    with pytest.raises(RunFailed) as caught:
        await lite.sql("INSERT INTO b VALUES (1)", on_connect=["PRAGMA foreign_keys = ON"])
    assert caught.value.error.code == "sql.integrity"


async def test_a_mistake_in_those_statements_is_told(world: World) -> None:
    with pytest.raises(RunFailed) as caught:
        await world.sql("SELECT 1", on_connect=["SELEC 1"])
    assert caught.value.error.code == "sql.connect"


async def test_a_database_in_memory_is_one_for_all_while_the_nodes_are_loaded(lite: World) -> None:
    url = "sqlite://"
    create = {
        "kind": "sql",
        "name": "create",
        "url": url,
        "statement": "CREATE TABLE people (name TEXT)",
    }
    count = {"kind": "sql", "name": "count", "url": url, "statement": "SELECT count(*) FROM people"}
    async with lite.runtime() as runtime:
        await outcome(runtime, lite.flow([create, count | {"statement": "SELECT 1"}]))
        flow = lite.flow([insert("ada", "count", url=url), count | {"mode": "value"}])
        assert [await outcome(runtime, flow) for _ in range(3)] == [1, 2, 3]


async def test_failing_processes_leave_neither_connections_nor_descriptors(world: World) -> None:
    caught = [insert("ada", "fail"), FAIL]
    wrong = [insert("grace", "wrong"), {"kind": "sql", "name": "wrong", "statement": "SELEC 1"}]
    twice = [insert("twice", "again"), insert("again", value="twice")]
    async with world.runtime() as runtime:
        flows = [world.flow(nodes) for nodes in (caught, wrong, twice)]
        for flow in flows:
            await asyncio.gather(*(outcome(runtime, flow) for _ in range(20)))
        before = (descriptors(), threading.active_count())
        for _ in range(5):
            for flow in flows:
                await asyncio.gather(*(outcome(runtime, flow) for _ in range(20)))
        assert (descriptors(), threading.active_count()) == before
    assert await world.database.names() == []


async def test_cancelled_processes_leave_neither_connections_nor_descriptors(world: World) -> None:
    slow = "SELECT pg_sleep(60)"
    if not world.database.is_postgres:
        slow = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    node = {"kind": "sql", "name": "slow", "statement": slow, "pool_size": 3}
    async with world.runtime() as runtime:

        async def cancel_many(count: int) -> None:
            gate = {"kind": "gate", "name": "gate"}
            flow = world.flow([insert("ada", ["slow", "gate"], pool_size=3), node, gate])
            for _ in range(count):
                world.reached.clear()
                runs = [await runtime.launch(flow) for _ in range(5)]
                await world.reached.wait()
                await asyncio.gather(*(run.cancel() for run in runs))
                for run in runs:
                    with pytest.raises(RunCancelled):
                        await run.result()

        async def settled() -> bool:
            return (
                await outcome(runtime, world.flow([insert("grace", "fail", pool_size=3), FAIL]))
                == "thrown"
            )

        await cancel_many(3)
        await until(settled)
        before = descriptors()
        await cancel_many(10)
        await until(settled)
        assert descriptors() <= before + 2 * 3  # a database file and its journal per connection
    assert await world.database.names() == []


async def test_a_runtime_that_closes_leaves_no_thread_and_no_task(world: World) -> None:
    before = threading.active_count()
    async with world.runtime() as runtime:
        await outcome(runtime, world.flow([insert("ada")]))
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("penstock-sql")], (before, names)
    tasks = [task.get_name() for task in asyncio.all_tasks()]
    assert not [name for name in tasks if name.startswith("sql:")]


async def test_a_pool_that_closes_waits_for_nobody_and_leaves_nothing(world: World) -> None:
    settings = PoolSettings(
        url=world.database.url, size=2, timeout=Duration(seconds=5), connect_timeout=Duration(seconds=5)
    )
    pool = Pool(settings, load_driver(settings.url))
    async with Transaction(pool) as transaction:
        await transaction.work(lambda plain: plain.exec_driver_sql("SELECT 1").close())
        await pool.close()
        await transaction.work(
            lambda plain: plain.exec_driver_sql("INSERT INTO people (name) VALUES ('ada')").close()
        )
    assert await world.database.names() == ["ada"]
    with pytest.raises(NodeError, match="was taken away"):
        await pool.take()
    if world.database.is_postgres:

        async def none_left() -> bool:
            return await world.database.sessions() == 0

        await until(none_left)
    assert not [each for each in threading.enumerate() if each.name.startswith("penstock-sql")]


async def test_what_is_leased_is_closed_by_the_last_who_gives_it_back() -> None:
    class Thing:
        closed = 0

        async def close(self) -> None:
            self.closed += 1

    leases = Leases()
    one = leases.take("key", Thing)
    two = leases.take("key", Thing)
    assert one.thing is two.thing
    await one.give_back()
    assert two.thing.closed == 0
    await two.give_back()
    assert two.thing.closed == 1
    assert leases.take("key", Thing).thing is not two.thing
