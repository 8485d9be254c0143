"""What the PostgreSQL store promises beyond what every store does."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import re
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from penstock.core.errors import (
    SettingsError,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreLost,
    StoreVersion,
)
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange, RunQuery, Shift, Sight
from penstock.store import open_store
from penstock.store.chunks import pack
from penstock.store.dialects import MIGRATIONS, latest, to_postgres
from penstock.store.postgres.address import Address
from penstock.store.postgres.blobs import BlobBag
from penstock.store.postgres.failures import store_error
from penstock.store.postgres.line import Line
from penstock.store.postgres.schema import prepare
from penstock.store.postgres.store import PostgresStore
from penstock.testing.conformance import (
    PATIENCE_SECONDS,
    batch_of,
    events,
    fid,
    opened,
    run_row,
    seqs,
)
from penstock.testing.conformance.catalogue import spec

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.testing.postgres import PostgresServer

LONG, SHORT = 60.0, 0.3


async def expire(store: PostgresStore) -> None:
    """Let the leases of all others run out, by the clock of the database."""
    async with store._writing as connection:
        await connection.execute(
            "UPDATE owners SET expires_at = clock_timestamp() - interval '1s' WHERE name <> $1",
            store.owner,
        )


@pytest.fixture
async def two(postgres: str) -> Any:
    """Two stores on one database; neither renews its lease while a test lasts."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(opened(lambda: PostgresStore(postgres, lease_seconds=LONG)))
            for _ in range(2)
        ]


class TestLease:
    async def test_a_claim_takes_nothing_from_a_live_runtime(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(run_row(1, owner=mine.owner), **{fid(1): events(1, 1)}))
        assert await other.alive(mine.owner)
        assert await other.claim() == []

    async def test_who_lost_its_lease_cannot_write_what_another_has_claimed(self, two: Any) -> None:
        mine, other = two
        mine_then = mine.owner
        await mine.commit(batch_of(run_row(1, owner=mine.owner), **{fid(1): events(1, 1)}))
        await expire(other)
        assert not await other.alive(mine_then)
        assert [row.owner for row in await other.claim()] == [other.owner]
        with pytest.raises(StoreLost, match="taken for dead"):
            await mine.commit(batch_of(**{fid(1): events(2, 2)}))
        assert mine.owner != mine_then
        await mine.claim()  # under a new lease it is still not its run
        with pytest.raises(StoreLost, match=fid(1)) as caught:
            await mine.commit(batch_of(**{fid(1): events(2, 2)}))
        assert caught.value.fid == fid(1)
        await other.commit(batch_of(**{fid(1): events(2, 2)}))
        assert await seqs(mine, 1) == [1, 2]

    async def test_what_is_refused_leaves_nothing_behind(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(run_row(1, owner=mine.owner), **{fid(1): events(1, 1)}))
        await expire(other)
        await other.claim()
        batch = batch_of(run_row(2, owner=mine.owner), **{fid(1): events(2, 2), fid(2): events(1, 1)})
        batch.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.FAILED)
        with pytest.raises(StoreLost):
            await mine.commit(batch)
        row = await other.run(fid(1))
        assert (row.state, row.owner, row.seq) == (RunState.RUNNING, other.owner, 1)
        assert await other.run(fid(2)) is None

    async def test_a_row_of_another_runtime_s_run_cannot_be_changed(self, two: Any) -> None:
        mine, other = two
        await other.commit(batch_of(run_row(1, owner=other.owner)))
        batch = Batch()
        batch.changes[fid(1)] = RunChange(fid=fid(1), error="not mine to say")
        with pytest.raises(StoreLost, match=fid(1)):
            await mine.commit(batch)

    async def test_a_run_under_a_name_that_was_lost_is_not_begun(self, two: Any) -> None:
        mine, other = two
        then = mine.owner
        await mine.claim()
        await expire(other)
        await other.claim()
        with pytest.raises(StoreLost):
            await mine.hold()
        with pytest.raises(StoreLost, match=fid(1)):
            await mine.commit(batch_of(run_row(1, owner=then)))

    async def test_a_lease_that_ran_out_and_was_not_missed_goes_on(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(run_row(1, owner=mine.owner), **{fid(1): events(1, 1)}))
        await expire(other)
        await mine.commit(batch_of(**{fid(1): events(2, 2)}))
        await mine.hold()
        assert await other.alive(mine.owner)

    async def test_of_two_claims_at_once_one_gets_each_run(self, two: Any) -> None:
        await two[0].commit(batch_of(*(run_row(number, owner="dead") for number in range(50))))
        found = await asyncio.gather(*(store.claim() for store in two for _ in range(3)))
        claimed = [row.fid for rows in found for row in rows]
        assert sorted(claimed) == [fid(number) for number in range(50)]

    async def test_closing_gives_the_runs_up_and_tells_it(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres)) as other:
            await other.claim()
            async with aclosing(other.shifts()) as shifts, asyncio.timeout(PATIENCE_SECONDS):
                async with opened(lambda: PostgresStore(postgres)) as mine:
                    await mine.commit(batch_of(run_row(1, owner=mine.owner)))
                assert await anext(shifts) is Shift.ORPHANED
                assert [row.fid for row in await other.claim()] == [fid(1)]

    async def test_a_lease_that_is_not_renewed_is_missed_by_others(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres, lease_seconds=SHORT)) as other:
            await other.claim()
            async with other._writing as connection:
                await connection.execute(
                    "INSERT INTO owners (name, expires_at) VALUES ('dead', clock_timestamp())"
                )
            async with aclosing(other.shifts()) as shifts, asyncio.timeout(PATIENCE_SECONDS):
                assert await anext(shifts) is Shift.ORPHANED

    async def test_a_lost_lease_is_told_by_the_next_renewal(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres, lease_seconds=SHORT)) as mine:
            await mine.claim()
            assert mine.held
            async with mine._writing as connection:
                await connection.execute("DELETE FROM owners")
            async with aclosing(mine.shifts()) as shifts, asyncio.timeout(PATIENCE_SECONDS):
                assert await anext(shifts) is Shift.LOST
            assert not mine.held
            with pytest.raises(StoreLost):
                await mine.hold()
            await mine.claim()
            assert mine.held


class TestNews:
    async def test_events_of_another_process_are_heard_of(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(run_row(1), **{fid(1): events(1, 1)}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            waiter = asyncio.create_task(other.changed(fid(1), after=1), name="waiter")
            await asyncio.wait([waiter], timeout=0)
            await mine.commit(batch_of(**{fid(1): events(2, 2)}))
            await waiter

    async def test_news_of_more_runs_than_a_notification_holds_reach_all(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(*(run_row(number) for number in range(1000))))
        async with asyncio.timeout(PATIENCE_SECONDS):
            waiter = asyncio.create_task(other.changed(fid(7), after=0), name="waiter")
            await asyncio.wait([waiter], timeout=0)
            await mine.commit(batch_of(**{fid(number): events(1, 1) for number in range(1000)}))
            await waiter

    async def test_a_word_reaches_the_owner_in_another_process(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(run_row(1, owner=mine.owner)))
        async with aclosing(mine.signals()) as words, asyncio.timeout(PATIENCE_SECONDS):
            later = asyncio.ensure_future(anext(words))
            await asyncio.wait([later], timeout=0)
            await other.signal(fid(1), "cancel")
            assert await later == (fid(1), "cancel")

    async def test_a_connection_that_was_cut_is_made_anew(self, two: Any) -> None:
        mine, other = two
        await mine.commit(batch_of(run_row(1), **{fid(1): events(1, 1)}))
        async with other._writing as connection:
            await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        # Whether the driver has noticed the cut before the next commit, nobody can tell.
        with contextlib.suppress(StoreError):
            await mine.commit(batch_of(**{fid(1): events(2, 2)}))
        if await seqs(other, 1) == [1]:
            await mine.commit(batch_of(**{fid(1): events(2, 2)}))
        assert await seqs(other, 1) == [1, 2]


class TestSchema:
    async def test_many_may_begin_at_once(self, postgres: str) -> None:
        stores = [PostgresStore(postgres) for _ in range(8)]
        await asyncio.gather(*(store.open() for store in stores))
        await stores[0].commit(batch_of(run_row(1)))
        assert [len(await store.runs()) for store in stores] == [1] * 8
        await asyncio.gather(*(store.close() for store in stores))

    async def test_two_schemas_of_one_database_know_nothing_of_each_other(self, postgres: str) -> None:
        other = f"{postgres}&schema=elsewhere"
        async with (
            opened(lambda: PostgresStore(postgres)) as one,
            opened(lambda: open_store(other)) as two,
        ):
            await one.commit(batch_of(run_row(1)))
            assert await two.runs() == []

    async def test_a_newer_journal_is_refused_and_left_alone(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres)) as store, store._writing as connection:
            await connection.execute("UPDATE version SET number = 99")
        with pytest.raises(StoreVersion, match="version 99"):
            await PostgresStore(postgres).open()

    async def test_a_stranger_s_schema_is_refused(
        self, postgres: str, postgres_server: PostgresServer
    ) -> None:
        name = postgres.partition("?")[0].rpartition("/")[2]
        postgres_server.execute("CREATE TABLE runs (a int)", database=name)
        with pytest.raises(StoreError, match="another program's"):
            await PostgresStore(f"{postgres}&schema=public").open()

    async def test_without_create_nothing_is_made(
        self, postgres: str, postgres_server: PostgresServer
    ) -> None:
        with pytest.raises(StoreError, match="there is no journal"):
            await PostgresStore(postgres, create=False).open()
        name = postgres.partition("?")[0].rpartition("/")[2]
        found = postgres_server.execute(
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'penstock'", database=name
        )
        assert found.strip() == "0"

    async def test_later_migrations_are_applied_once_and_in_the_words_of_postgresql(
        self, postgres: str, tmp_path: Path
    ) -> None:
        for file in MIGRATIONS.glob("*.sql"):
            (tmp_path / file.name).write_text(file.read_text())
        (tmp_path / "9001_more.sql").write_text("CREATE TABLE more (a BLOB NOT NULL) STRICT;")
        (tmp_path / "9001_more.postgres.sql").write_text("ALTER TABLE more ADD b jsonb;")
        (tmp_path / "9001_more.sqlite.sql").write_text("not for PostgreSQL")
        address = Address.parse(postgres)
        async with opened(lambda: PostgresStore(postgres)):
            pass
        line = Line(address, lock_seconds=5.0)
        line.open()
        async with line as connection:
            for _ in range(2):
                await prepare(connection, address, create=True, folder=tmp_path)
            found = await connection.fetch(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = 'more' ORDER BY 1"
            )
            assert [tuple(row) for row in found] == [("a", "bytea"), ("b", "jsonb")]
            assert await connection.fetchval("SELECT number FROM version") == latest(tmp_path) == 9001
        await line.close()

    @pytest.mark.parametrize("old", [1, 2, 3])
    async def test_a_journal_of_an_earlier_version_keeps_its_runs(
        self, postgres: str, tmp_path: Path, old: int
    ) -> None:
        for file in MIGRATIONS.glob("*.sql"):
            if int(file.name[:4]) <= old:
                (tmp_path / file.name).write_text(file.read_text())
        address = Address.parse(postgres)
        line = Line(address, lock_seconds=5.0)
        line.open()
        async with line as connection:
            await prepare(connection, address, create=True, folder=tmp_path)
            insert = (
                "INSERT INTO runs (fid, flow, source, revision, state, owner, started, error) "
                "VALUES ($1, $2, 'graph', '', 'running', 'dead', $3, '')"
            )
            await connection.execute(insert, fid(1), "zen", 1e9 + 1)
            await connection.execute(insert, fid(2), "shop/api", 1e9 + 2)
            body = pack(fid(1), events(1, 3), BlobBag())
            await connection.execute("INSERT INTO events VALUES ($1, 1, 3, $2)", fid(1), body)
            assert await connection.fetchval("SELECT number FROM version") == old
        await line.close()
        async with opened(lambda: PostgresStore(postgres)) as store:
            assert await store.run(fid(1)) == run_row(1, owner="dead", seq=3)
            assert await store.events(fid(1)) == events(1, 3)
            assert [row.fid for row in await store.runs(RunQuery(namespace="shop"))] == [fid(2)]
            assert {row.fid for row in await store.claim()} == {fid(1), fid(2)}
            await store.commit(batch_of(run_row(3), **{fid(1): events(4, 4)}))
            assert [entry.position for entry in await store.write([spec("a")], at=1.0)] == [1]

    @pytest.mark.parametrize(
        ("query", "index"),
        [
            (RunQuery(), "runs_fid_key"),
            (RunQuery(flow="zen"), "runs_flow"),
            (RunQuery(flow="zen", before=fid(9)), "runs_flow"),
            (RunQuery(flow="never run"), "runs_flow"),
            (RunQuery(states=(RunState.FAILED,)), "runs_state"),
            (RunQuery(launcher="ada"), "runs_launcher"),
            (RunQuery(locked=True), "runs_locked"),
            (RunQuery(sight=Sight(launcher="ada", flows=frozenset({"zen"}))), "runs_launcher|runs_flow"),
        ],
    )
    async def test_a_page_of_runs_is_walked_in_an_index(
        self, postgres: str, query: RunQuery, index: str
    ) -> None:
        asked: list[Any] = []
        async with opened(lambda: PostgresStore(postgres)) as store:
            others = [run_row(number, flow="every second") for number in range(100, 3000)]
            rare = [run_row(5000, launcher="ada"), run_row(5001, locks=1)]
            await store.commit(batch_of(*(run_row(number) for number in range(100)), *others, *rare))
            async with store._reading as connection:
                await connection.execute("ANALYZE runs")
                connection.add_query_logger(asked.append)
            await store.runs(msgspec.structs.replace(query, limit=1))
            statements = tuple(asked)
            async with store._reading as connection:
                for statement in statements:
                    found = await connection.fetch(f"EXPLAIN {statement.query}", *statement.args)
                    plan = "\n".join(row[0] for row in found)
                    assert re.search(f"Index Scan Backward using ({index}) on runs", plan), plan
                    assert "Sort" not in plan


def test_shared_migrations_are_put_into_the_words_of_postgresql() -> None:
    text = to_postgres("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, x REAL, b BLOB) STRICT;")
    assert text == (
        "CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "n BIGINT, x DOUBLE PRECISION, b BYTEA);"
    )


class TestAddress:
    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://me:s3cret@db.example:5433/runs?sslmode=require",
            "postgres://me@db.example:5433/runs?password=s3cret",
        ],
    )
    def test_a_password_is_never_shown(self, url: str) -> None:
        store = open_store(url)
        assert store.url == "postgresql://me@db.example:5433/runs"
        assert "s3cret" in Address.parse(url).dsn

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql:me:s3cret",
            "postgresql://me:s3/cret@[db/runs",
            "postgresql://me:pass:s3cret@db:s3cret/runs",
            "postgresql://me:s3cret@db/runs?schema=S3 x",
        ],
    )
    def test_an_address_that_cannot_be_read_is_refused_without_its_password(self, url: str) -> None:
        with pytest.raises(SettingsError) as caught:
            open_store(url)
        assert "s3cret" not in str(caught.value)

    def test_without_the_driver_it_is_said_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = builtins.__import__

        def without(name: str, *rest: Any, **named: Any) -> Any:
            if name == "asyncpg":
                raise ModuleNotFoundError(name)
            return found(name, *rest, **named)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(SettingsError, match="asyncpg") as caught:
            open_store("postgresql://db/runs")
        assert "pip install 'penstock[postgres]'" in caught.value.remedy


class TestFailures:
    async def test_a_server_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            await PostgresStore(f"postgresql://me:s3cret@/runs?host={tmp_path}").open()
        assert "s3cret" not in str(caught.value)

    async def test_a_database_that_is_not_there_is_named(self, postgres_server: PostgresServer) -> None:
        with pytest.raises(StoreError, match="nowhere") as caught:
            await PostgresStore(postgres_server.url("nowhere")).open()
        assert "createdb" in caught.value.remedy

    async def test_a_lock_of_another_program_is_waited_for_in_vain(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres, lock_seconds=0.05)) as store:
            async with store._reading as other, other.transaction():
                await other.execute("LOCK TABLE runs")
                with pytest.raises(StoreLocked, match="pg_stat_activity"):
                    await store.commit(batch_of(run_row(1)))
            await store.commit(batch_of(run_row(1)))

    async def test_text_that_the_database_does_not_take_is_refused(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres)) as store:
            for text in ("nul\0", "half \ud800"):
                with pytest.raises(StoreError):
                    await store.commit(batch_of(run_row(1, flow=text)))
            await store.commit(batch_of(run_row(1)))

    def test_a_full_disk_is_told_as_such(self) -> None:
        class Full(Exception):
            sqlstate = "53100"
            message = "could not extend file"

        assert isinstance(store_error(Full(), "postgresql://db/runs"), StoreFull)

    async def test_a_damaged_blob_names_its_run(self, postgres: str) -> None:
        async with opened(lambda: PostgresStore(postgres)) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 1, value="x" * 400_000)}))
            for statement in ("UPDATE blobs SET content = 'other'", "DELETE FROM blobs"):
                async with store._writing as connection:
                    await connection.execute(statement)
                with pytest.raises(StoreError, match=fid(1)):
                    await store.events(fid(1))
