"""What is committed and what is rolled back, seen by an onlooker."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.errors import RunCancelled, RunFailed, RunTimeout
from penstock.core.policies import Record
from penstock.testing.crash import KILLED, Victim

from .world import World, insert, until

if TYPE_CHECKING:
    from pathlib import Path

FAIL = {"kind": "throw", "name": "fail", "message": "not today"}


def items(*each: Any, **links: Any) -> dict[str, Any]:
    return {"kind": "loop", "name": "each", "items": list(each), "links": links}


# --- one process --------------------------------------------------------------------


async def test_what_the_nodes_of_a_process_did_is_there_when_it_succeeded(world: World) -> None:
    await world.run(insert("ada", "grace"), insert("grace"))
    assert await world.database.names() == ["ada", "grace"]


async def test_nothing_is_there_when_a_node_further_on_failed(world: World) -> None:
    with pytest.raises(RunFailed, match="not today"):
        await world.run(insert("ada", "grace"), insert("grace", "fail"), FAIL)
    assert await world.database.names() == []


async def test_nodes_of_a_process_see_what_the_others_did_and_nobody_else_does(world: World) -> None:
    count = {"kind": "sql", "name": "count", "statement": "SELECT count(*) FROM people"}
    async with world.runtime() as runtime:
        flow = world.flow(
            [insert("ada", "gate"), {"kind": "gate", "name": "gate", "links": {"out": "count"}}, count]
        )
        run = await runtime.launch(flow, {})
        await world.reached.wait()
        assert await world.database.names() == []
        world.opened.set()
        assert list((await run.result())[0].values()) == [1]


async def test_nothing_is_there_when_the_run_is_cancelled_and_the_lock_is_free(world: World) -> None:
    async with world.runtime() as runtime:
        run = await runtime.launch(world.flow([insert("ada", "gate"), {"kind": "gate", "name": "gate"}]))
        await world.reached.wait()
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        await world.database.execute("INSERT INTO people (name) VALUES ('ada')")
    assert await world.database.names() == ["ada"]


async def test_nothing_is_there_when_the_run_took_too_long(world: World) -> None:
    with pytest.raises(RunTimeout, match="took longer"):
        await world.run(insert("ada", "gate"), {"kind": "gate", "name": "gate"}, timeout="300ms")
    assert await world.database.names() == []


async def test_nothing_is_there_when_another_node_took_too_long(world: World) -> None:
    with pytest.raises(RunFailed, match="took longer"):
        await world.run(insert("ada", "gate"), {"kind": "gate", "name": "gate", "timeout": "200ms"})
    assert await world.database.names() == []


async def test_nodes_that_are_ready_together_take_turns_in_one_transaction(world: World) -> None:
    names = [f"n{number:02}" for number in range(20)]
    await world.run(*(insert(name) for name in names))
    assert await world.database.names() == names
    again = [f"m{number:02}" for number in range(20)]
    with pytest.raises(RunFailed):
        await world.run(*(insert(name) for name in again), insert("last", value="n00"))
    assert await world.database.names() == names


@pytest.mark.parametrize("first", [True, False], ids=["as the first", "behind another"])
async def test_a_failure_that_is_caught_takes_back_its_own_node_and_no_other(
    world: World, *, first: bool
) -> None:
    twice = {
        "kind": "sql",
        "name": "twice",
        "statement": [
            "INSERT INTO people (name) VALUES ('x')",
            "INSERT INTO people (name) VALUES ('x')",
        ],
        "links": {"error": "after"},
    }
    await world.run(*([] if first else [insert("ada", "twice")]), twice, insert("after"))
    assert await world.database.names() == (["after"] if first else ["ada", "after"])


async def test_a_node_may_fail_and_try_again_within_the_transaction(world: World) -> None:
    await world.run(
        insert("ada", {"out": "again"}),
        insert("again", {"error": "late"}, value="ada", retry={"attempts": 3, "delay": "1ms"}),
        insert("late"),
    )
    assert await world.database.names() == ["ada", "late"]


async def test_a_constraint_that_fails_at_the_commit_fails_the_process(pg: World) -> None:
    await pg.database.execute("CREATE TABLE a (id INT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(RunFailed, match="unique constraint") as caught:
        await pg.sql(["INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (1)"])
    assert caught.value.error.code == "sql.integrity"
    assert await pg.database.execute("SELECT * FROM a") == []


# --- called processes -----------------------------------------------------------------


async def test_try_takes_back_its_branch_and_nothing_else(world: World) -> None:
    await world.run(
        insert("before", "try"),
        {"kind": "try", "name": "try", "links": {"out": "inside", "error": "after"}},
        insert("inside", "fail"),
        FAIL,
        insert("after"),
    )
    assert await world.database.names() == ["after", "before"]


async def test_a_called_process_never_waits_for_the_locks_of_its_caller(world: World) -> None:
    await world.run(
        insert("before", "each"),
        items(1, 2, 3, 4, out="item", done="after") | {"concurrency": 4},
        {"kind": "sql", "name": "item", "statement": "UPDATE people SET age = 1 WHERE name = 'before'"},
        insert("after"),
    )
    assert await world.database.names() == ["after", "before"]


async def test_the_failure_of_the_caller_takes_back_what_it_called(world: World) -> None:
    statement = "INSERT INTO people (name) VALUES (:name)"
    with pytest.raises(RunFailed, match="not today"):
        await world.run(
            insert("before", "each"),
            items("a", "b", "c", out="item", done="fail"),
            {"kind": "sql", "name": "item", "statement": statement},
            FAIL,
        )
    assert await world.database.names() == []


async def test_called_processes_stand_alone_where_the_caller_has_no_transaction(world: World) -> None:
    statement = "INSERT INTO people (name) VALUES (:name)"
    with pytest.raises(RunFailed, match="not today"):
        await world.run(
            items("a", "b", out="item", done="fail"),
            {"kind": "sql", "name": "item", "statement": statement},
            FAIL,
        )
    assert await world.database.names() == ["a", "b"]


async def test_branches_that_share_a_transaction_fail_one_by_one(world: World) -> None:
    """The items run at the same time, and each second one fails after it has written."""
    await world.run(
        insert("before", "each"),
        items(*range(12), out="try") | {"concurrency": 6},
        {"kind": "try", "name": "try", "links": {"out": "item"}},
        {
            "kind": "sql",
            "name": "item",
            "statement": "INSERT INTO people (name, age) VALUES (CAST(:n AS TEXT), 1) RETURNING name",
            "mode": "value",
            "links": {"out": "odd"},
        },
        {"kind": "switch", "name": "odd", "match": [{"when": "int(self) % 2 == 1", "port": "out[0]"}],
         "links": {"out[0]": "fail"}},
        FAIL,
    )  # fmt: skip
    assert await world.database.names() == ["0", "10", "2", "4", "6", "8", "before"]


async def test_branches_within_branches_are_taken_back_one_by_one(world: World) -> None:
    await world.run(
        insert("one", "outer"),
        {"kind": "try", "name": "outer", "links": {"out": "two"}},
        insert("two", "inner"),
        {"kind": "try", "name": "inner", "links": {"out": "three", "done": "four"}},
        insert("three", "fail"),
        FAIL,
        insert("four"),
    )
    assert await world.database.names() == ["four", "one", "two"]


async def test_each_attempt_of_retry_begins_anew(world: World) -> None:
    with pytest.raises(RunFailed, match="not today"):
        await world.run(
            {"kind": "retry", "name": "retry", "attempts": 3, "delay": "1ms", "links": {"out": "ada"}},
            insert("ada", "fail"),
            FAIL,
        )
    assert await world.database.names() == []


async def test_a_branch_that_keeps_the_transaction_is_told_of_in_time(lite: World) -> None:
    await lite.database.execute("CREATE TABLE people (name TEXT)")
    branches = {"kind": "fork", "name": "fork", "links": {"out[0]": "left", "out[1]": "right"}}
    with pytest.raises(RunFailed, match="another branch of this process held") as caught:
        await lite.run(
            insert("before", "fork", pool_timeout="50ms"),
            branches,
            insert("left", "gate", pool_timeout="50ms"),
            insert("right", "gate", pool_timeout="50ms"),
            {"kind": "gate", "name": "gate"},
        )
    assert caught.value.error.code == "sql.timeout"


# --- a connection that is lost --------------------------------------------------------


async def test_a_lost_connection_fails_the_process_even_if_the_failure_is_caught(pg: World) -> None:
    await pg.database.execute("CREATE TABLE people (name TEXT)")
    kill = {
        "kind": "sql",
        "name": "kill",
        "statement": "SELECT pg_terminate_backend(pg_backend_pid())",
        "links": {"error": "late"},
    }
    with pytest.raises(RunFailed, match="was lost") as caught:
        await pg.run(insert("ada", "kill"), kill, {"kind": "nop", "name": "late"})
    assert caught.value.error.code == "sql.connection"
    assert await pg.database.names() == []


async def test_a_connection_lost_before_anything_was_done_is_replaced(pg: World) -> None:
    await pg.database.execute("CREATE TABLE people (name TEXT)")
    statement = [
        "SELECT CASE WHEN nextval('tries') = 1 THEN pg_terminate_backend(pg_backend_pid()) END",
        "INSERT INTO people VALUES ('ada')",
    ]
    await pg.database.execute("CREATE SEQUENCE tries")
    await pg.sql(statement, retry={"attempts": 2, "delay": "1ms", "on": ["sql.connection"]})
    assert await pg.database.names() == ["ada"]


async def test_a_node_that_takes_too_long_takes_the_transaction_with_it(world: World) -> None:
    slow = "SELECT pg_sleep(60)"
    if not world.database.is_postgres:
        slow = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    node = {"kind": "sql", "name": "slow", "statement": slow, "timeout": "200ms"}
    began = asyncio.get_running_loop().time()
    with pytest.raises(RunFailed, match=r"was lost|took longer"):
        await world.run(insert("ada", "slow"), node | {"links": {"error": "late"}}, insert("late"))
    assert asyncio.get_running_loop().time() - began < 5
    assert await world.database.names() == []
    with pytest.raises(RunFailed, match="took longer"):
        await world.run(node)


# --- recorded runs --------------------------------------------------------------------


async def test_a_node_of_a_recorded_run_commits_before_it_says_that_it_completed(world: World) -> None:
    async with world.runtime() as runtime:
        flow = world.flow(
            [insert("ada", "gate"), {"kind": "gate", "name": "gate", "links": {"out": "fail"}}, FAIL],
            record=Record.FULL,
        )
        run = await runtime.launch(flow)
        await world.reached.wait()
        assert await world.database.names() == ["ada"]
        world.opened.set()
        with pytest.raises(RunFailed):
            await run.result()
    assert await world.database.names() == ["ada"]


async def test_the_statements_of_one_node_are_one_transaction_in_a_recorded_run(world: World) -> None:
    with pytest.raises(RunFailed):
        await world.run(
            {
                "kind": "sql",
                "name": "both",
                "statement": [
                    "INSERT INTO people (name) VALUES ('ada')",
                    "INSERT INTO people (name) VALUES (NULL)",
                ],
            },
            record=Record.FULL,
        )
    assert await world.database.names() == []


async def test_a_transaction_over_several_nodes_is_refused_where_the_run_is_recorded(
    world: World,
) -> None:
    with pytest.raises(RunFailed, match="this run is recorded") as caught:
        await world.run(insert("ada", transaction="process"), record=Record.EFFECTS)
    assert caught.value.error.code == "sql.transaction"
    assert await world.database.names() == []


async def test_the_key_of_a_firing_makes_an_insert_happen_once(world: World) -> None:
    await world.database.execute("CREATE TABLE payments (key TEXT PRIMARY KEY, amount INTEGER)")
    node = {
        "kind": "sql",
        "name": "pay",
        "transaction": "none",  # so that what an attempt did stays, as it does after a crash
        "statement": [
            "INSERT INTO payments VALUES (:idempotency_key, :amount) ON CONFLICT DO NOTHING",
            "INSERT INTO people (name) VALUES (NULL)",
        ],
        "retry": {"attempts": 3, "delay": "1ms"},
    }
    async with world.runtime() as runtime:
        run = await runtime.launch(world.flow([node], record=Record.FULL), {"in": {"amount": 3}})
        with pytest.raises(RunFailed):
            await run.result()
    assert await world.database.execute("SELECT * FROM payments") == [(f"{run.fid}:pay", 3)]


@pytest.mark.parametrize("hit", [1, 2])
async def test_a_payment_is_made_once_whatever_moment_the_process_dies_at(
    world: World, hit: int, tmp_path: Path
) -> None:
    await world.database.execute("CREATE TABLE payments (key TEXT PRIMARY KEY, amount INTEGER)")
    command = [sys.executable, "-m", "tests.kinds.sql.payments", world.database.url]
    victim = Victim([*command, f"sqlite:///{tmp_path}/runs.db"], log=tmp_path / "log")
    assert await asyncio.to_thread(victim.run, crash_at="node.executed", hit=hit) == KILLED
    assert await world.database.execute("SELECT amount FROM payments") == [(12,)]
    assert await asyncio.to_thread(victim.run) == 0, victim.output()
    assert victim.output() == "1\n"
    assert await world.database.execute("SELECT amount FROM payments") == [(12,)]


# --- other ways -----------------------------------------------------------------------


async def test_a_node_may_have_a_transaction_of_its_own(world: World) -> None:
    with pytest.raises(RunFailed):
        await world.run(insert("ada", "fail", transaction="node"), FAIL)
    assert await world.database.names() == ["ada"]


async def test_without_a_transaction_each_statement_is_for_good(world: World) -> None:
    with pytest.raises(RunFailed):
        await world.sql(
            ["INSERT INTO people (name) VALUES ('ada')", "INSERT INTO people (name) VALUES (NULL)"],
            transaction="none",
        )
    assert await world.database.names() == ["ada"]
    assert await world.sql("VACUUM", transaction="none") == 0


async def test_a_connection_that_had_no_transaction_has_one_again(world: World) -> None:
    async with world.runtime() as runtime:
        bare = world.flow([insert("bare", transaction="none", pool_size=1)])
        await (await runtime.launch(bare)).result()
        failing = world.flow([insert("ada", "fail", pool_size=1), FAIL])
        with pytest.raises(RunFailed):
            await (await runtime.launch(failing)).result()
    assert await world.database.names() == ["bare"]


async def test_an_isolation_level_is_that_of_the_whole_transaction(pg: World) -> None:
    show = {"kind": "sql", "name": "show", "statement": "SHOW transaction_isolation", "mode": "value"}
    assert await pg.run(show | {"isolation": "serializable"}) == "serializable"
    assert await pg.run(show) == "read committed"
    with pytest.raises(RunFailed, match="another isolation") as caught:
        await pg.run(
            {"kind": "sql", "name": "a", "statement": "SELECT 1", "links": {"out": "show"}},
            show | {"isolation": "serializable"},
        )
    assert caught.value.error.code == "sql.transaction"


async def test_immediate_takes_the_lock_of_sqlite_at_the_beginning(lite: World) -> None:
    await lite.database.execute("CREATE TABLE people (name TEXT)")
    read = {"kind": "sql", "name": "read", "statement": "SELECT 1", "links": {"out": "gate"}}
    async with lite.runtime() as runtime:
        flow = lite.flow([read | {"isolation": "immediate"}, {"kind": "gate", "name": "gate"}])
        run = await runtime.launch(flow)
        await lite.reached.wait()
        with pytest.raises(Exception, match="database is locked"):
            await lite.database.execute("INSERT INTO people VALUES ('ada')")
        lite.opened.set()
        await run.result()


async def test_a_level_that_the_database_does_not_know_is_told(lite: World) -> None:
    with pytest.raises(RunFailed, match="isolation") as caught:
        await lite.sql("SELECT 1", isolation="repeatable read")
    assert caught.value.error.code == "sql.transaction"


async def test_two_databases_of_a_process_have_a_transaction_each(pg: World, lite: World) -> None:
    for world in (pg, lite):
        await world.database.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(RunFailed):
        await pg.run(insert("ada", "grace"), insert("grace", "fail", url=lite.database.url), FAIL)
    assert await pg.database.names() == await lite.database.names() == []
    await pg.run(insert("ada", "grace"), insert("grace", url=lite.database.url))
    assert (await pg.database.names(), await lite.database.names()) == (["ada"], ["grace"])


async def test_a_conflict_of_two_transactions_can_be_repeated(pg: World) -> None:
    """Both read the row before either writes it: the second one is refused, and tries again."""
    await pg.database.execute("CREATE TABLE counter (n INT)")
    await pg.database.execute("INSERT INTO counter VALUES (0)")
    flow = pg.flow(
        [
            {"kind": "retry", "name": "again", "attempts": 20, "delay": "1ms", "on": ["sql.conflict"],
             "links": {"out": "read"}},
            {"kind": "sql", "name": "read", "statement": "SELECT n FROM counter", "mode": "value",
             "isolation": "repeatable read", "links": {"out": "write"}},
            {"kind": "sql", "name": "write", "statement": "UPDATE counter SET n = ? + 1"},
        ]
    )  # fmt: skip
    async with pg.runtime() as runtime:
        runs = [await runtime.launch(flow) for _ in range(5)]
        for run in runs:
            await run.result()
    assert await pg.database.execute("SELECT n FROM counter") == [(5,)]


async def test_locks_are_free_when_the_process_has_ended(pg: World) -> None:
    await pg.database.execute("CREATE TABLE people (name TEXT)")

    async def idle() -> bool:
        found = await pg.database.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%'"
        )
        return found == [(0,)]

    async with pg.runtime() as runtime:
        for number in range(10):
            run = await runtime.launch(pg.flow([insert(f"n{number}", "fail"), FAIL]))
            with pytest.raises(RunFailed):
                await run.result()
        await until(idle)
    assert await pg.database.names() == []
