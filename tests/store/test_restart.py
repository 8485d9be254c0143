"""What a PostgreSQL server that goes away for a while does to those who use it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from penstock.core.errors import StoreError
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
from penstock.testing.conformance.catalogue import AT, following, spec

if TYPE_CHECKING:
    from tests.conftest import Restarts


async def cut(store: PostgresStore) -> None:
    """End all connections to the database but one, as a network that fails does."""
    async with store._filing as connection:
        await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_follower_hears_what_it_missed_while_the_server_was_away(
    postgres: str, restarts: Restarts
) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS * 2),
        opened(lambda: PostgresStore(postgres)) as store,
        opened(lambda: PostgresStore(postgres)) as other,
        following(store, after=0) as changes,
    ):
        first = await other.write([spec("a")], at=AT)
        assert await anext(changes) == first
        heard = asyncio.ensure_future(anext(changes))
        await asyncio.wait([heard], timeout=0)
        await restarts.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            await other.write([spec("b")], at=AT)
        assert not heard.done()
        await restarts.start()
        second = await other.write([spec("b")], at=AT)
        assert await heard == second
        third = asyncio.ensure_future(anext(changes))
        await asyncio.wait([third], timeout=0)
        assert await other.write([spec("c")], at=AT) == await third


async def test_a_follower_whose_connection_was_cut_still_hears_at_once(postgres: str) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        opened(lambda: PostgresStore(postgres)) as store,
        opened(lambda: PostgresStore(postgres)) as other,
        following(store, after=0) as changes,
    ):
        await other.write([spec("a")], at=AT)
        assert len(await anext(changes)) == 1
        for number in range(3):
            heard = asyncio.ensure_future(anext(changes))
            await asyncio.wait([heard], timeout=0)
            await cut(other)
            written = await other.write([spec(f"b{number}")], at=AT)
            assert await heard == written


async def test_a_lease_outlives_a_server_that_starts_again(postgres: str, restarts: Restarts) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS * 2),
        opened(lambda: PostgresStore(postgres)) as store,
    ):
        await store.commit(batch_of(run_row(1, owner=store.owner), **{fid(1): events(1, 1)}))
        owner = store.owner
        await restarts.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            await store.commit(batch_of(**{fid(1): events(2, 2)}))
        await restarts.start()
        await store.hold()
        assert (store.owner, store.held) == (owner, True)
        await store.commit(batch_of(**{fid(1): events(2, 2)}))
        assert await seqs(store, 1) == [1, 2]


async def test_a_word_that_is_left_after_a_restart_reaches_its_runtime(
    postgres: str, restarts: Restarts
) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS * 2),
        opened(lambda: PostgresStore(postgres)) as store,
        opened(lambda: PostgresStore(postgres)) as other,
        aclosing(store.signals()) as words,  # type: ignore[type-var]
    ):
        await store.commit(batch_of(run_row(1, owner=store.owner)))
        heard = asyncio.ensure_future(anext(words))
        await asyncio.wait([heard], timeout=0)
        await restarts.stop()
        await restarts.start()
        await other.signal(fid(1), "cancel")
        assert await heard == (fid(1), "cancel")
