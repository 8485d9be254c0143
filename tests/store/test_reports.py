"""What runtimes say of the specs of a namespace, and what becomes of it when one dies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.processes import PATIENCE_SECONDS, child, line

from penstock.core.errors import StoreError, StoreLost
from penstock.store import open_store
from penstock.store.postgres.store import PostgresStore
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import opened
from penstock.testing.conformance.catalogue import AT
from penstock.testing.conformance.reports import said

if TYPE_CHECKING:
    from pathlib import Path

LOOK_SECONDS = 0.02


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    found: str = request.getfixturevalue("postgres")
    return found


def rows_of(store: Any) -> Any:
    """The owners of all rows, whether they live or not."""
    return store._database.execute("SELECT owner FROM reports ORDER BY owner").fetchall()


async def test_the_report_of_a_killed_runtime_is_gone(url: str) -> None:
    async with opened(lambda: open_store(url)) as store, child("report", url) as runtime:
        owner = await line(runtime)
        (found,) = await store.reports("default")
        assert (found.owner, found.body) == (owner, b"all is well")
        runtime.kill()
        await runtime.wait()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await store.reports("default"):  # noqa: ASYNC110 - a lease runs out by itself
                await asyncio.sleep(LOOK_SECONDS)
        await store.report("default", b"alone", at=AT)
        assert await store.reports("default") == [said(store, b"alone")]


async def test_rows_of_the_dead_are_cleared_by_the_next_who_says_something(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store:
        async with child("report", path) as runtime:
            owner = await line(runtime)
        assert rows_of(store) == [(owner,)]
        await store.report("elsewhere", b"here", at=AT)
        assert rows_of(store) == [(store.owner,)]


async def test_whoever_only_looks_at_reports_needs_no_lock_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store:
        assert await store.reports("default") == []
        assert not (tmp_path / "journal.db.owners").exists()


async def test_a_report_needs_an_open_store(url: str) -> None:
    async with opened(lambda: open_store(url)):
        pass
    store = open_store(url)
    with pytest.raises(StoreError, match="not open"):
        await store.report("default", b"one", at=AT)
    with pytest.raises(StoreError, match="not open"):
        await store.reports("default")


# --- under a lease ----------------------------------------------------------------------


async def take_away(store: PostgresStore) -> None:
    """Take its lease away, as another runtime does when it has run out."""
    async with store._writing as connection:
        await connection.execute("DELETE FROM owners WHERE name = $1", store.owner)


async def test_a_report_comes_along_to_the_next_lease(postgres: str) -> None:
    async with (
        opened(lambda: PostgresStore(postgres)) as store,
        opened(lambda: PostgresStore(postgres)) as other,
    ):
        await store.report("one", b"1", at=AT)
        await store.report("two", b"2", at=AT)
        await store.report("two", b"", at=AT)
        then = store.owner
        await take_away(store)
        assert await other.reports("one") == []
        with pytest.raises(StoreLost):
            await store.hold()
        await store.claim()
        assert store.owner != then
        assert await other.reports("one") == [said(store, b"1")]
        assert await other.reports("two") == []


async def test_a_runtime_learns_from_its_report_that_it_was_taken_for_dead(postgres: str) -> None:
    async with opened(lambda: PostgresStore(postgres)) as store:
        await store.report("default", b"then", at=AT)
        await take_away(store)
        with pytest.raises(StoreLost):
            await store.report("default", b"now", at=AT)
        assert await store.reports("default") == []
        await store.claim()
        assert await store.reports("default") == [said(store, b"now")]


async def test_a_report_under_a_lease_that_ran_out_is_not_shown_until_it_is_renewed(
    postgres: str,
) -> None:
    async with opened(lambda: PostgresStore(postgres, lease_seconds=60)) as store:
        await store.report("default", b"here", at=AT)
        async with store._writing as connection:
            await connection.execute("UPDATE owners SET expires_at = clock_timestamp() - interval '1s'")
        assert await store.reports("default") == []
        await store.hold()
        assert await store.reports("default") == [said(store, b"here")]
