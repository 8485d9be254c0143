"""Several processes, some of them killed."""

import asyncio

import pytest
from tests.store.processes import child, line, tell

from penstock.core.errors import StoreError
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import batch_of, events, fid, opened, run_row, seqs


@pytest.mark.parametrize("commits", [1, 20, 300])
async def test_every_acknowledged_commit_outlives_kill_9(tmp_path, commits):
    path = tmp_path / "journal.db"
    async with child("write", path) as process:
        owner = await line(process)
        for _ in range(commits):
            acknowledged = int(await line(process))
        process.kill()
        rest = (await process.stdout.read()).decode().split("\n")
        acknowledged = max([acknowledged, *(int(text) for text in rest[:-1])])
        await process.wait()
    async with opened(lambda: SqliteStore(path)) as store:
        await store.check()
        for number in range(3):
            found = await store.events(fid(number))
            assert found == events(1, len(found), pad="x" * 500)
            assert len(found) - acknowledged in (0, 2)  # at most the commit that was under way
        assert not await store.alive(owner)
        assert [row.fid for row in await store.claim()] == [fid(number) for number in range(3)]
        assert [file.stem for file in (tmp_path / "journal.db.owners").iterdir()] == [store.owner]


async def test_of_two_claims_at_once_each_run_goes_to_one(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(*(run_row(number, owner="dead") for number in range(500))))
        async with child("claim", path) as left, child("claim", path) as right:
            both = (left, right)
            owners = [(await line(process)).split()[1] for process in both]
            for process in both:
                await tell(process)
            claimed = [(await line(process)).split() for process in both]
            assert sorted(claimed[0] + claimed[1]) == [fid(number) for number in range(500)]
            assert await store.claim() == []
            assert [await store.alive(owner) for owner in owners] == [True, True]
            rows = await store.runs()
            assert {row.fid for row in rows if row.owner == owners[0]} == set(claimed[0])
            left.kill()
            await left.wait()
            assert [row.fid for row in await store.claim()] == claimed[0]


async def test_words_and_events_of_another_process_arrive(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path, poll=0.01)) as store:
        await store.commit(batch_of(run_row(1, owner=store.owner), run_row(2)))
        word = asyncio.ensure_future(anext(store.signals()))
        news = asyncio.create_task(store.changed(fid(2), after=0), name="news")
        async with child("signal", path):
            assert await word == (fid(1), "cancel")
            await news
        assert await seqs(store, 2) == [1]


async def test_a_limit_for_file_sizes_loses_nothing_that_was_committed(tmp_path):
    async with child("fill", tmp_path / "journal.db") as process:
        error, committed, there = (await line(process)).split()
        assert (error, committed) == ("StoreFull", there)
        assert int(committed) > 3
        assert await line(process) == "StoreFull"  # a blob does not fit either
        assert await line(process) == str(int(committed) + 1)


async def test_of_two_writers_of_a_run_the_one_behind_is_refused(tmp_path):
    def factory():
        return SqliteStore(tmp_path / "journal.db")

    async with opened(factory) as first, opened(factory) as second:
        await first.commit(batch_of(run_row(1), **{fid(1): events(1, 3)}))
        await second.commit(batch_of(**{fid(1): events(4, 4)}))
        await first.commit(batch_of(run_row(2)))
        with pytest.raises(StoreError, match=r"event 4 of run .* does not follow event 4"):
            await first.commit(batch_of(**{fid(1): events(4, 9)}))
        await first.commit(batch_of(**{fid(1): events(5, 5)}))
        assert await seqs(second, 1) == [1, 2, 3, 4, 5]


async def test_a_store_that_only_reads_leaves_no_lock(tmp_path):
    def factory():
        return SqliteStore(tmp_path / "journal.db")

    async with opened(factory) as store:
        await store.runs()
        await store.alive("somebody")
        assert not (tmp_path / "journal.db.owners").exists()
        owner = store.owner
        async with opened(factory) as other:
            assert await other.alive(owner)
            await store.close()
            assert not await other.alive(owner)


async def test_reading_works_while_another_process_writes(tmp_path):
    path = tmp_path / "journal.db"
    async with child("write", path) as process, opened(lambda: SqliteStore(path)) as store:
        await line(process)
        for _ in range(50):
            acknowledged = int(await line(process))
            found = await seqs(store, 1)
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= acknowledged
