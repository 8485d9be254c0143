"""Who executes a run, and words for it."""

from __future__ import annotations

import asyncio

import pytest

from penstock.core.errors import StoreError
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange, RunQuery
from penstock.testing.conformance.samples import (
    PATIENCE_SECONDS,
    StoreFactory,
    batch_of,
    events,
    fid,
    opened,
    run_row,
    seqs,
)


class OwnerConformance:
    """Who executes a run, and words for it."""

    async def test_a_store_knows_itself_alive_and_strangers_dead(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            assert store.owner == store.owner != ""
            assert await store.alive(store.owner)
            assert not await store.alive("nobody")
            assert not await store.alive("")

    async def test_what_a_live_store_owns_is_held(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert store.held
            await store.commit(batch_of(run_row(1, owner=store.owner)))
            assert store.held
            await store.hold()
            await store.claim()
            assert store.held
            assert await store.alive(store.owner)

    async def test_claim_takes_unfinished_runs_of_the_dead_oldest_first(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            states = list(RunState)
            rows = [run_row(number, state=states[number], owner="dead") for number in (5, 4, 3, 2, 1, 0)]
            rows += [run_row(6), run_row(7, owner=store.owner)]
            await store.commit(batch_of(*rows, **{fid(1): events(1, 4)}))
            claimed = await store.claim()
            unfinished = [n for n in range(6) if not states[n].terminal]
            assert [row.fid for row in claimed] == [fid(n) for n in (*unfinished, 6)]
            assert {row.owner for row in claimed} == {store.owner}
            assert {row.fid: row.seq for row in claimed}[fid(1)] == 4
            assert claimed == [await store.run(row.fid) for row in claimed]
            assert await store.claim() == []
            ends = tuple(state for state in RunState if state.terminal)
            ended = await store.runs(RunQuery(states=ends))
            assert {row.owner for row in ended} == {"dead"}

    async def test_claim_takes_no_other_runs_than_it_was_asked_for(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(*(run_row(number) for number in range(4))))
            assert await store.claim([]) == []
            claimed = await store.claim([fid(2), fid(0), "unknown"])
            assert [row.fid for row in claimed] == [fid(0), fid(2)]
            assert [row.fid for row in await store.claim()] == [fid(1), fid(3)]

    async def test_a_claimed_run_goes_on_where_it_was(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, owner="dead"), **{fid(1): events(1, 4)}))
            await store.claim()
            await store.commit(batch_of(**{fid(1): events(5, 5)}))
            assert await seqs(store, 1) == [1, 2, 3, 4, 5]

    async def test_words_reach_the_owner_once_and_in_order(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            owned = [run_row(number, owner=store.owner) for number in (1, 2)]
            await store.commit(batch_of(*owned, run_row(3, owner="other")))
            await store.signal(fid(3), "not for us")
            await store.signal(fid(2), "cancel")
            await store.signal(fid(1), "cancel")
            words = store.signals()
            assert [await anext(words), await anext(words)] == [(fid(2), "cancel"), (fid(1), "cancel")]
            later = asyncio.ensure_future(anext(words))
            await asyncio.wait([later], timeout=0)
            assert not later.done()
            await store.signal(fid(2), "again")
            assert await later == (fid(2), "again")

    async def test_words_left_for_a_dead_owner_reach_who_claims_the_run(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            await store.commit(batch_of(run_row(1, owner="dead")))
            await store.signal(fid(1), "cancel")
            words = store.signals()
            later = asyncio.ensure_future(anext(words))
            await asyncio.wait([later], timeout=0)
            assert not later.done()
            await store.claim()
            assert await later == (fid(1), "cancel")

    async def test_words_for_an_ended_run_go_nowhere(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            await store.commit(
                batch_of(
                    *(run_row(number, owner=store.owner) for number in (1, 2)), run_row(3, owner="x")
                )
            )
            await store.signal(fid(1), "too early to be read")
            batch = Batch()
            batch.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.COMPLETED)
            await store.commit(batch)
            await store.signal(fid(1), "too late")
            await store.signal(fid(2), "in time")
            assert await anext(store.signals()) == (fid(2), "in time")

    async def test_a_word_for_an_unknown_run_is_refused(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            with pytest.raises(StoreError, match=fid(1)):
                await store.signal(fid(1), "cancel")
