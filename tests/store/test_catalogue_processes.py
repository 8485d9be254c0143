"""Specs and values in several processes, some of them killed."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from tests.store.processes import PATIENCE_SECONDS, child, line, tell

from penstock.core.catalog import Collection
from penstock.core.errors import StoreError
from penstock.store import bells, open_store
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import opened
from penstock.testing.conformance.catalogue import VALUES, following, refused, spec

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.core.store import Store
    from penstock.testing.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.database()


async def whole_calls(store: Store) -> int:
    """How many calls of the task `file` were written; each whole, or not at all."""
    entries = await store.entries(Collection.SPECS)
    revisions = {entry.revision for entry in entries}
    if not entries:
        assert await store.position() == 0
        return 0
    assert (len(entries), len(revisions)) == (20, 1)
    (calls,) = revisions
    assert await store.position() == 20 * calls
    assert len(await store.history(Collection.SPECS, "d0")) == calls
    return calls


async def test_a_change_is_seen_by_another_process_within_100_ms(url: str) -> None:
    async with opened(lambda: open_store(url)) as store, child("follow", url) as follower:
        await line(follower)
        delays = []
        for place in range(1, 22):
            began = time.monotonic()
            await store.write([spec("a")], at=1.0)
            heard, *places = (await line(follower)).split()
            delays.append(float(heard) - began)
            assert places == [str(place)]
        assert statistics.median(delays) < 0.1  # this machine may be busy, but not all the time


async def test_ten_followers_in_each_of_several_processes_hear_everything(url: str) -> None:
    async with (
        opened(lambda: open_store(url)) as store,
        child("follow_many", url) as one,
        child("follow_many", url) as two,
        child("file", url) as writer,
    ):
        for process in (one, two):
            assert await line(process) == "ready"
        for _ in range(20):
            assert await line(writer)
        writer.kill()
        await writer.wait()
        await store.write([spec("last")], at=1.0)
        for process in (one, two):
            assert int(await line(process)) >= 10


@pytest.mark.parametrize("calls", [1, 7, 50])
async def test_a_call_of_a_killed_writer_is_there_as_a_whole_or_not_at_all(url: str, calls: int) -> None:
    async with opened(lambda: open_store(url)) as store, child("file", url) as writer:
        for _ in range(calls):
            acknowledged = int(await line(writer))
        writer.kill()
        assert writer.stdout is not None
        rest = (await writer.stdout.read()).decode().split("\n")
        acknowledged = max([acknowledged, *(int(text) for text in rest[:-1])])
        await writer.wait()
        await store.write([], at=1.0)  # a server has noticed the death by then
        assert await whole_calls(store) - acknowledged in (0, 1)
        await store.write([spec("d0")], at=1.0)


@pytest.mark.parametrize("task", ["write", "reseal"])
async def test_nothing_is_left_of_a_call_whose_process_was_killed_half_way(url: str, task: str) -> None:
    async with opened(lambda: open_store(url)) as store, child("die_half_way", url) as writer:
        assert await line(writer) == "written"
        before = [await store.entries(collection) for collection in Collection]
        await tell(writer, task)
        await writer.wait()
        assert [await store.entries(collection) for collection in Collection] == before
        assert await store.position() == 2
        both = [spec("a", revision=1), spec("a", collection=VALUES, revision=1)]
        assert [entry.revision for entry in await store.write(both, at=3.0)] == [2, 2]


async def test_what_a_writer_could_not_tell_before_it_died_is_found_by_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "LOOK_SECONDS", 0.05)
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store, following(store, after=0) as changes:
        heard = asyncio.ensure_future(anext(changes))
        async with child("die_before_the_ring", path) as writer:
            await writer.wait()
            assert [entry.id for entry in await heard] == ["a"]


async def test_the_bell_of_a_killed_follower_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store, child("follow", path) as follower:
        await line(follower)
        await store.write([spec("a")], at=1.0)
        await line(follower)  # it has hung its bell up by then
        hung = tmp_path / "journal.db.bells"
        assert len(list(hung.iterdir())) == 1
        follower.kill()
        await follower.wait()
        await store.write([spec("a")], at=1.0)
        assert list(hung.iterdir()) == []


async def test_a_follower_of_a_store_that_was_closed_is_told_so(url: str) -> None:
    async with opened(lambda: open_store(url)) as store, asyncio.timeout(PATIENCE_SECONDS):
        followers = [asyncio.ensure_future(anext(store.changes(after=0))) for _ in range(3)]
        await asyncio.wait(followers, timeout=0)
        await store.close()
        for follower in followers:
            with pytest.raises(StoreError, match="not open"):
                await follower


async def test_two_processes_that_saw_the_same_revision_do_not_overwrite_each_other(url: str) -> None:
    async with opened(lambda: open_store(url)) as store, child("file", url) as writer:
        seen = int(await line(writer))
        while int(await line(writer)) <= seen:
            pass
        field, write, found = await refused(store, spec("new"), spec("d3", revision=seen))
        assert (field, write) == ("revision", 1)
        assert found > seen
