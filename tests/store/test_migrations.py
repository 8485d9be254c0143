"""The file's shape: made, brought up to date, or left alone."""

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from penstock.core.errors import StoreError, StoreVersion
from penstock.core.states import RunState
from penstock.core.store import RunQuery, Sight
from penstock.store import chunks, schema, statements
from penstock.store.blobs import BlobFolder
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import batch_of, events, fid, opened, run_row, seqs
from penstock.testing.conformance.catalogue import spec


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def database(path):
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture
def migrations(tmp_path):
    """A copy of the migrations, to which a test adds its own."""
    return shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")


def version(database):
    return database.execute("PRAGMA user_version").fetchone()[0]


def tables(database):
    found = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found if not name.startswith("sqlite_")]


async def test_an_empty_file_becomes_a_journal(path, database):
    async with opened(lambda: SqliteStore(path)):
        pass
    assert version(database) == schema.latest()
    assert tables(database) == [
        "audit",
        "catalogue",
        "events",
        "reports",
        "revisions",
        "runs",
        "signals",
    ]
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_migrating_again_changes_nothing(path, database):
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(run_row(1), **{fid(1): events(1, 2)}))
    before = list(database.iterdump())
    schema.migrate(database, path)
    async with opened(lambda: SqliteStore(path)) as store:
        assert await seqs(store, 1) == [1, 2]
    assert list(database.iterdump()) == before


@pytest.mark.parametrize("old", [1, 2, 3])
async def test_a_journal_of_an_earlier_version_keeps_its_runs(path, database, migrations, old):
    for file in migrations.glob("*.sql"):
        if int(file.name[:4]) > old:
            file.unlink()
    schema.migrate(database, path, migrations)
    assert version(database) == old
    insert = (
        "INSERT INTO runs (fid, flow, source, revision, state, owner, started, error) "
        "VALUES (?, ?, 'graph', '', 'running', 'dead', ?, 'late')"
    )
    key = database.execute(insert, (fid(1), "zen", 1e9 + 1)).lastrowid
    database.execute(insert, (fid(2), "shop/api", 1e9 + 2))
    body = chunks.pack(fid(1), events(1, 3), BlobFolder(path.with_name("blobs")))
    database.execute(statements.INSERT_CHUNK, (key, 1, 3, body))
    async with opened(lambda: SqliteStore(path)) as store:
        assert await store.run(fid(1)) == run_row(1, owner="dead", error="late", seq=3)
        assert await store.events(fid(1)) == events(1, 3)
        assert [row.fid for row in await store.runs(RunQuery(flow="zen", limit=1))] == [fid(1)]
        assert [row.fid for row in await store.runs(RunQuery(namespace="shop"))] == [fid(2)]
        assert [row.fid for row in await store.claim()] == [fid(1), fid(2)]
        await store.commit(batch_of(**{fid(1): events(4, 4)}))
        assert [entry.position for entry in await store.write([spec("a")], at=1.0)] == [1]
    assert version(database) == schema.latest()


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        (RunQuery(), "runs USING INDEX sqlite_autoindex_runs_1 (fid<?)"),
        (RunQuery(flow="f3", before=fid(400)), "runs USING INDEX runs_flow (flow=? AND fid<?)"),
        (RunQuery(states=(RunState.FAILED,)), "runs USING INDEX runs_state (state=? AND fid<?)"),
        (RunQuery(launcher="ada"), "runs USING INDEX runs_launcher (launcher=? AND fid<?)"),
        (RunQuery(locked=True), "runs USING INDEX runs_locked (fid<?)"),
        (
            RunQuery(sight=Sight(launcher="ada"), states=(RunState.COMPLETED,)),
            "runs USING INDEX runs_launcher (launcher=? AND fid<?)",
        ),
    ],
)
async def test_a_page_of_runs_is_walked_in_an_index(path, database, query, plan):
    asked = []
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(*(run_row(n, flow=f"f{n % 7}") for n in range(500))))
        store._database.set_trace_callback(asked.append)
        await store.runs(msgspec.structs.replace(query, limit=3))
        store._database.set_trace_callback(None)
    for statement in asked:
        found = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert plan in found
        assert "TEMP B-TREE" not in found
    assert asked


def test_later_migrations_are_applied_in_order(path, database, migrations):
    schema.migrate(database, path, migrations)
    (migrations / "9002_c.sql").write_text("ALTER TABLE later ADD COLUMN more TEXT;")
    (migrations / "9001_b.sql").write_text("-- a; comment\nCREATE TABLE later (id INTEGER);\n")
    schema.migrate(database, path, migrations)
    assert version(database) == 9002
    database.execute("INSERT INTO later (id, more) VALUES (1, 'x')")


def test_a_failing_migration_leaves_the_file_as_it_was(path, database, migrations):
    schema.migrate(database, path, migrations)
    before = list(database.iterdump())
    (migrations / "9001_b.sql").write_text("CREATE TABLE later (id INTEGER);\nDROP TABLE nothing;\n")
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(database, path, migrations)
    assert version(database) == schema.latest()
    assert list(database.iterdump()) == before


async def test_a_newer_journal_is_refused_and_left_alone(path, database):
    async with opened(lambda: SqliteStore(path)):
        pass
    database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreVersion, match="version 99") as caught:
        await SqliteStore(path).open()
    assert "upgrade" in caught.value.remedy
    assert version(database) == 99


async def test_another_programs_database_is_refused_and_left_alone(path, database):
    database.execute("CREATE TABLE music (title TEXT)")
    for foreign in (0, 1, 99):
        database.execute(f"PRAGMA user_version = {foreign}")
        with pytest.raises(StoreError, match="another program"):
            await SqliteStore(path).open()
    assert tables(database) == ["music"]
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


class Refused(sqlite3.Connection):
    """A connection that is refused its write-ahead log a few times, as when two want it at once."""

    refusals = 3

    def execute(self, sql, parameters=(), /):
        if sql == "PRAGMA journal_mode = WAL" and self.refusals:
            self.refusals -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return super().execute(sql, parameters)


def test_of_two_that_make_a_journal_at_once_the_refused_one_comes_again(tmp_path):
    path = tmp_path / "runs.db"
    database = sqlite3.connect(path, isolation_level=None, factory=Refused)
    schema.migrate(database, path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_journal_that_stays_refused_is_told_when_patience_ends(tmp_path):
    path = tmp_path / "runs.db"
    database = sqlite3.connect(path, isolation_level=None, factory=Refused, timeout=0)
    database.refusals = 1_000_000
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        schema.migrate(database, path)
    database.close()


def test_everyone_who_opens_a_new_journal_at_the_same_moment_gets_it(tmp_path):
    def connect(path, ready):
        ready.wait()
        schema.connect(path, create=True, busy_timeout=5.0, quota_bytes=None).close()

    with ThreadPoolExecutor(4) as threads:
        for round_ in range(25):
            ready = threading.Barrier(4)
            opened = [threads.submit(connect, tmp_path / f"{round_}.db", ready) for _ in range(4)]
            for one in opened:
                one.result()
