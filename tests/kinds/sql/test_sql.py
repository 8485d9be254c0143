"""What goes into a database and what comes out of it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from tests.kinds.conftest import make

from penstock.core.errors import DocumentError, NodeError, RunFailed
from penstock.core.payload import Error
from penstock.kinds.sql.address import read, shown
from penstock.kinds.sql.query import Sql

from .world import Database, World, insert


async def failure(world: World, statement: Any, given: Any = None, **config: Any) -> Error:
    with pytest.raises(RunFailed) as caught:
        await world.sql(statement, given, **config)
    error: Error = caught.value.error
    return error


# --- what is sent ---------------------------------------------------------------------

TWO = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' ORDER BY 1"


@pytest.mark.parametrize(
    ("mode", "statement", "answer"),
    [
        ("auto", TWO, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("rows", TWO, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("count", TWO, 2),
        ("row", "SELECT 1 AS a, 2 AS a", {"a": 1, "a_2": 2}),
        ("row", "SELECT 1 AS a WHERE 1 = 2", None),
        ("value", "SELECT 'x'", "x"),
        ("value", "SELECT 'x' WHERE 1 = 2", None),
        ("column", "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1", [1, 2]),
        ("rows", "SELECT 1 AS a WHERE 1 = 2", []),
        ("auto", "INSERT INTO people (name) VALUES ('ada'), ('grace')", 2),
        ("auto", "DELETE FROM people", 0),
        ("auto", "INSERT INTO people (id, name) VALUES (7, 'ada') RETURNING id", [{"id": 7}]),
        ("value", "INSERT INTO people (id, name) VALUES (7, 'ada') RETURNING id", 7),
        ("count", "INSERT INTO people (id, name) VALUES (7, 'ada') RETURNING id", 1),
        ("auto", "CREATE TABLE other (id INTEGER)", 0),
        ("auto", ["DELETE FROM people", "SELECT 7 AS n"], [{"n": 7}]),
        ("auto", ["SELECT 1", "DELETE FROM people"], 0),
    ],
)  # fmt: skip
async def test_the_mode_says_what_is_sent(world: World, mode: str, statement: Any, answer: Any) -> None:
    assert await world.sql(statement, mode=mode) == answer


@pytest.mark.parametrize(
    ("mode", "statement", "message"),
    [
        ("row", TWO, "takes one row, and several came"),
        ("value", "SELECT 1, 2", "takes one column, and 2 came"),
        ("column", "SELECT 1, 2", "takes one column, and 2 came"),
        ("rows", "INSERT INTO people (name) VALUES ('ada')", "returns no rows"),
    ],
)
async def test_an_answer_that_does_not_fit_the_mode_is_told_and_undone(
    world: World, mode: str, statement: str, message: str
) -> None:
    error = await failure(world, statement, mode=mode)
    assert error.code == "sql.rows"
    assert message in error.message
    assert await world.database.names() == []


async def test_more_rows_than_the_limit_are_refused(world: World) -> None:
    statement = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :most) SELECT x FROM n"
    )
    assert len(await world.sql(statement, 10, max_rows=10)) == 10
    error = await failure(world, statement, 11, max_rows=10)
    assert (error.code, error.details) == ("sql.rows", {"max_rows": 10})
    error = await failure(world, "SELECT CAST(:n AS INTEGER) AS n", [{"n": 1}, {"n": 2}], max_rows=1)
    assert error.code == "sql.rows"


async def test_what_sqlite_keeps_comes_as_payloads(lite: World) -> None:
    statement = "SELECT NULL AS a, 1 AS b, 1.5 AS c, 'é' AS d, x'00ff' AS e, 9223372036854775807 AS f"
    row = {"a": None, "b": 1, "c": 1.5, "d": "é", "e": b"\x00\xff", "f": 2**63 - 1}
    assert await lite.sql(statement, mode="row") == row


async def test_what_postgresql_keeps_comes_as_payloads(pg: World) -> None:
    answer = await pg.sql(
        """
        SELECT 12345678901234567890.10 AS numeric, '2026-03-01T10:00:00Z'::timestamptz AS instant,
            '2026-03-01 10:00'::timestamp AS local, '2026-03-01'::date AS day, '10:00'::time AS time,
            '01234567-89ab-cdef-0123-456789abcdef'::uuid AS uuid, '\\x00ff'::bytea AS bytes,
            '{"a": [1, null]}'::jsonb AS json, '[]'::json AS list, ARRAY[[1, 2], [3, NULL]] AS grid,
            ROW(1, 'x') AS record, '[1,3)'::int4range AS range, 'empty'::int4range AS nothing,
            '10.0.0.1'::inet AS inet, 'NaN'::float8 IS NOT NULL AS yes, B'101' AS bits,
            '{[1,2),[5,7)}'::int4multirange AS ranges
        """,
        mode="row",
    )  # fmt: skip
    assert answer == {
        "numeric": "12345678901234567890.10",
        "instant": "2026-03-01T10:00:00Z",
        "local": "2026-03-01T10:00:00",
        "day": "2026-03-01",
        "time": "10:00:00",
        "uuid": "01234567-89ab-cdef-0123-456789abcdef",
        "bytes": b"\x00\xff",
        "json": {"a": [1, None]},
        "list": [],
        "grid": [[1, 2], [3, None]],
        "record": [1, "x"],
        "range": "[1,3)",
        "nothing": "empty",
        "inet": "10.0.0.1",
        "yes": True,
        "bits": "101",
        "ranges": ["[1,2)", "[5,7)"],
    }


# --- parameters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placeholders", "given", "names"),
    [
        ("?", ["ada"], ["ada"]),
        ("?", "ada", ["ada"]),
        (":name", "ada", ["ada"]),
        (":name", {"name": "ada", "age": 36}, ["ada"]),
        ("?", [["ada"], ["grace"]], ["ada", "grace"]),
        (":name", [{"name": "ada"}, {"name": "grace"}], ["ada", "grace"]),
        (":name", [], []),
    ],
)
async def test_the_payload_brings_the_parameters(
    world: World, placeholders: str, given: Any, names: list[str]
) -> None:
    assert await world.sql(f"INSERT INTO people (name) VALUES ({placeholders})", given) == len(names)
    assert await world.database.names() == names


async def test_a_batch_counts_what_it_wrote_and_sends_what_it_returns(world: World) -> None:
    people = [{"id": number, "name": f"n{number}"} for number in range(3)]
    returning = "INSERT INTO people (id, name) VALUES (:id, :name) RETURNING name"
    assert await world.sql(returning, people) == [{"name": f"n{number}"} for number in range(3)]
    upsert = "INSERT INTO people (id, name) VALUES (:id, :name) ON CONFLICT DO NOTHING"
    assert await world.sql(upsert, [*people, {"id": 9, "name": "n9"}]) == 1
    assert await world.sql("UPDATE people SET age = 1 WHERE id = :id", [{"id": 1}, {"id": 77}]) == 1
    assert await world.sql("SELECT name FROM people WHERE id = ?", [[1], [9]], mode="column") == [
        "n1",
        "n9",
    ]
    assert await world.sql(returning, []) == []


async def test_a_large_batch_is_all_or_nothing(world: World) -> None:
    people = [[f"n{number}"] for number in range(3000)]
    statement = "INSERT INTO people (name) VALUES (?)"
    assert (await failure(world, statement, [*people, ["n0"]])).code == "sql.integrity"
    assert await world.database.names() == []
    assert await world.sql(statement, people) == 3000


async def test_a_statement_may_come_over_a_link(world: World) -> None:
    text = {"kind": "snippet", "name": "text", "language": "text", "code": "SELECT 7"}
    node = {"kind": "sql", "name": "sql", "mode": "value"}
    assert await world.run(text | {"links": {"out": "sql.statement"}}, node) == 7
    code = '["DELETE FROM people", "SELECT 8"]'
    several = text | {"language": "json", "code": code, "links": {"out": "sql.statement"}}
    assert await world.run(several, node) == 8


async def test_postgresql_takes_texts_for_whatever_its_columns_are(pg: World) -> None:
    await pg.database.execute(
        "CREATE TABLE things (i INT, f FLOAT8, n NUMERIC, b BOOL, t TEXT, at TIMESTAMPTZ, "
        "local TIMESTAMP, day DATE, time TIME, span INTERVAL, u UUID, j JSONB, a INT[], raw BYTEA)"
    )
    given = {
        "i": "7", "f": "1.5", "n": "1.50", "b": "yes", "t": 12, "at": "2026-03-01T10:00:00",
        "local": "2026-03-01T10:00:00+02:00", "day": "2026-03-01T10:00:00Z", "time": "10:00",
        "span": "1h30m", "u": "01234567-89ab-cdef-0123-456789abcdef", "j": {"a": [1]}, "a": ["1", 2],
        "raw": "é",
    }  # fmt: skip
    names = ", ".join(given)
    places = ", ".join(f":{name}" for name in given)
    insert_all = f"INSERT INTO things ({names}) VALUES ({places})"
    assert await pg.sql([insert_all, "SELECT * FROM things"], given, mode="row") == {
        "i": 7, "f": 1.5, "n": "1.50", "b": True, "t": "12", "at": "2026-03-01T10:00:00Z",
        "local": "2026-03-01T10:00:00", "day": "2026-03-01", "time": "10:00:00", "span": "PT5400S",
        "u": "01234567-89ab-cdef-0123-456789abcdef", "j": {"a": [1]}, "a": [1, 2], "raw": "é".encode(),
    }  # fmt: skip
    assert await pg.sql("SELECT i FROM things WHERE i = ANY(:ids)", {"ids": ["7", 8]}) == [{"i": 7}]
    nothing = dict.fromkeys(given)
    assert await pg.sql(insert_all, nothing) == 1


async def test_a_column_may_change_its_type_while_connections_are_open(pg: World) -> None:
    await pg.database.execute("CREATE TABLE things (a INT)")
    node = {"kind": "sql", "name": "add", "statement": "INSERT INTO things VALUES (:a)"}
    async with pg.runtime() as runtime:
        again = {"kind": "retry", "name": "again", "delay": "1ms", "links": {"out": "add"}}
        flow = pg.flow([again, node])
        await (await runtime.launch(flow, {"in": 7})).result()
        await pg.database.execute("ALTER TABLE things ALTER a TYPE TEXT")
        await (await runtime.launch(flow, {"in": "abc"})).result()
    assert await pg.database.execute("SELECT a FROM things") == [("7",), ("abc",)]


async def test_sqlite_takes_mappings_and_lists_as_json(lite: World) -> None:
    statement = "SELECT json_extract(:data, '$.a[1]') AS x, :flag AS flag"
    assert await lite.sql(statement, {"data": {"a": [1, 2]}, "flag": True}) == [{"x": 2, "flag": 1}]


# --- what goes wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "given", "code"),
    [
        ("SELEC 1", None, "sql.statement"),
        ("SELECT * FROM nowhere", None, "sql.statement"),
        ("INSERT INTO people (nmae) VALUES ('ada')", None, "sql.statement"),
        ("SELECT 1; SELECT 2", None, "sql.statement"),
        ("INSERT INTO people (name) VALUES (NULL)", None, "sql.integrity"),
        (
            "INSERT INTO people (id, name) VALUES (:id, 'x')",
            {"id": 2**70},
            ("sql.parameters", "sql.data"),
        ),
        ("SELECT :a", {}, "sql.parameters"),
        ("INSERT INTO people (name) VALUES (:name)", "\ud800", "sql.parameters"),
    ],
)
async def test_each_mistake_has_its_code_and_a_remedy(
    world: World, statement: str, given: Any, code: str | tuple[str, ...]
) -> None:
    error = await failure(world, statement, given)
    assert error.code in ((code,) if isinstance(code, str) else code)
    assert error.remedy


async def test_a_violated_constraint_is_named(pg: World) -> None:
    await pg.database.execute("CREATE TABLE a (id INT CONSTRAINT only_once PRIMARY KEY)")
    error = await failure(pg, ["INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (1)"])
    assert error.details == {"sqlstate": "23505", "constraint": "only_once"}


@pytest.mark.parametrize(
    ("statement", "secret"),
    [
        ("INSERT INTO people (name) VALUES (:secret), (:secret)", "hunter2"),
        ("SELECT CAST(CAST(:secret AS TEXT) AS INTEGER)", "hunter2"),
        ("SELECT CAST(CAST(:secret AS TEXT) AS INTEGER)", "h2"),
        ("SELECT CAST(:secret AS INTEGER)", "hunter2" * 20),
        ("SELECT CAST(:secret AS INTEGER[])", "hunter2"),
    ],
)
async def test_no_error_shows_a_parameter(pg: World, statement: str, secret: str) -> None:
    await pg.database.execute("CREATE TABLE people (name TEXT UNIQUE)")
    async with pg.runtime() as runtime:
        flow = pg.flow([{"kind": "sql", "name": "sql", "statement": statement}])
        run = await runtime.launch(flow, {"in": {"secret": secret}})
        with pytest.raises(RunFailed) as caught:
            await run.result()
    told = f"{caught.value}{caught.value.error.to_mapping()}{caught.value.__cause__!r}"
    told = told.replace(run.fid, "")  # by chance that may hold two letters of the secret
    assert secret not in told
    assert "hunter" not in told


async def test_no_error_shows_a_password(lite: World) -> None:
    for url in (
        "postgresql://ada:hunter2@127.0.0.1:1/shop?password=hunter2",
        "postgresql://ada:hunter2@:x/shop",
        "nothing://ada:hunter2@host/shop",
        "mysql+pymysql://ada:hunter2@host/shop",
    ):
        error = await failure(lite, "SELECT 1", url=url)
        assert "hunter2" not in f"{error.to_mapping()}"


@pytest.mark.parametrize(
    ("url", "code", "remedy"),
    [
        ("sqlite:////no/such/folder/test.db", "sql.connect", "check that"),
        ("postgresql://ada@127.0.0.1:1/shop", "sql.connect", "check that"),
        ("nothing://host/shop", "sql.driver", "check the beginning"),
        ("mysql+pymysql://host/shop", "sql.driver", "pip install pymysql"),
        ("mysql://host/shop", "sql.driver", "pip install mysqlclient"),
        ("postgresql+psycopg://host/shop", "sql.driver", "pip install 'psycopg[binary]'"),
        ("postgresql://host:port/shop", "sql.url", "write postgresql://"),
    ],
)
async def test_a_database_that_cannot_be_reached_is_told(
    lite: World, url: str, code: str, remedy: str
) -> None:
    error = await failure(lite, "SELECT 1", url=url)
    assert error.code == code
    assert remedy in error.remedy


async def test_a_database_that_does_not_exist_is_told(pg: World) -> None:
    error = await failure(pg, "SELECT 1", url=pg.database.url.replace("/test", "/other"))
    assert (error.code, error.details) == ("sql.connect", {"sqlstate": "3D000"})


async def test_without_sqlalchemy_the_package_to_install_is_named(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sqlalchemy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    error = await failure(lite, "SELECT 1")
    assert (error.code, error.remedy) == ("sql.driver", "pip install 'penstock[sql]'")


async def test_a_locked_database_is_a_conflict_that_another_attempt_may_solve(lite: World) -> None:
    await lite.database.execute("CREATE TABLE people (name TEXT)")
    import sqlite3

    holder = sqlite3.connect(lite.database.url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    error = await failure(
        lite, "INSERT INTO people VALUES ('ada')", url=f"{lite.database.url}?timeout=0"
    )
    holder.close()
    assert error.code == "sql.conflict"


async def test_a_statement_that_the_server_ends_for_its_time_is_told(pg: World) -> None:
    error = await failure(pg, ["SET statement_timeout = '50ms'", "SELECT pg_sleep(60)"])
    assert error.code == "sql.timeout"


async def test_a_server_that_says_nothing_is_told_after_the_connect_timeout(lite: World) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://ada@127.0.0.1:{port}/shop?ssl=disable"
        error = await failure(lite, "SELECT 1", url=url, connect_timeout="100ms")
    assert error.code == "sql.timeout"
    assert "no connection within" in error.message


# --- documents ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"url": "shop.db"}, "is not the address of a database"),
        ({"statement": "SELECT ?, :a"}, "mixes"),
        ({"statement": []}, "a statement is text"),
        ({"statement": " "}, "a statement is text"),
        ({"transaction": "none", "isolation": "serializable"}, "belongs to a transaction"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused_before_anything_runs(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(Sql, **{"url": "sqlite://", "statement": "SELECT 1", **config})


def test_a_node_without_a_statement_needs_a_link(lite: World) -> None:
    with pytest.raises(DocumentError, match="statement"):
        lite.flow([{"kind": "sql", "name": "sql"}])


@pytest.mark.parametrize(
    ("url", "driver", "seen"),
    [
        (
            "postgres://ada:pw@db:5/shop?sslmode=require",
            "postgresql+asyncpg",
            "postgresql://ada@db:5/shop",
        ),
        ("postgresql+psycopg://[::1]/shop", "postgresql+psycopg", "postgresql://[::1]/shop"),
        ("sqlite+aiosqlite:///shop.db", "sqlite", "sqlite:///shop.db"),
        ("sqlite://", "sqlite", "sqlite:///"),
    ],
)
def test_an_address_names_its_driver_and_is_shown_without_secrets(
    url: str, driver: str, seen: str
) -> None:
    found = read(url)
    assert found.drivername == driver
    assert shown(found) == seen
    assert found.query.get("ssl", "require") == "require"


def test_an_address_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(NodeError) as caught:
        read("postgresql://ada:hunter2@host:port/x")
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__}"


async def test_the_url_may_hold_a_secret_of_the_environment(database: Database, world: World) -> None:
    scheme, _, rest = database.url.partition(":")
    node = insert("ada", url="{{ DB }}", env={"DB": {"data": f"{scheme}:{rest}"}})
    await world.run(node)
    assert await database.names() == ["ada"]
