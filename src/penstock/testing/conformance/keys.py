"""Keys of launches: of all runs that are begun with one, there is one."""

from __future__ import annotations

import asyncio

import pytest

from penstock.core.errors import KeyTaken, RunExists
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange
from penstock.testing.conformance.samples import (
    StoreFactory,
    batch_of,
    events,
    fid,
    opened,
    run_row,
    seqs,
    views,
)


class KeyConformance:
    """Keys of launches: of all runs that are begun with one, there is one."""

    async def test_a_run_is_found_by_its_key_for_good(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert await store.launched("order-1") is None
            await store.commit(batch_of(run_row(1, key="order-1"), run_row(2), **{fid(1): events(1, 2)}))
            ended = Batch()
            ended.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.COMPLETED)
            await store.commit(ended)
            assert await store.launched("order-1") == await store.run(fid(1))
            row = await store.run(fid(1))
            assert row is not None
            assert row.seq == 2

    async def test_no_key_is_nobodys_key(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), run_row(2)))
            await store.commit(batch_of(run_row(3)))
            assert await store.launched("") is None

    async def test_a_taken_key_names_the_run_that_has_it(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, key="k")))
            batch = batch_of(run_row(2, key="k"), run_row(3, key="other"), **{fid(2): events(1, 1)})
            with pytest.raises(KeyTaken) as caught:
                await store.commit(batch)
            assert (caught.value.fid, caught.value.holder) == (fid(2), fid(1))
            batch.without(fid(2))
            await store.commit(batch)
            assert await store.run(fid(2)) is None
            assert await store.run(fid(3)) is not None

    async def test_of_two_in_one_batch_the_second_is_at_fault(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            batch = batch_of(
                run_row(1, key="k"), run_row(2, key="k"), **{fid(n): events(1, 1) for n in (1, 2)}
            )
            with pytest.raises(KeyTaken) as caught:
                await store.commit(batch)
            assert (caught.value.fid, caught.value.holder) == (fid(2), fid(1))
            assert await store.launched("k") is None
            batch.without(fid(2))
            await store.commit(batch)
            assert (await seqs(store, 1), await seqs(store, 2)) == ([1], [])

    async def test_a_run_that_is_there_already_is_no_matter_of_its_key(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, key="k")))
            with pytest.raises(RunExists):
                await store.commit(batch_of(run_row(1, key="k")))

    async def test_of_all_who_begin_a_run_with_one_key_one_does(
        self, store_factory: StoreFactory
    ) -> None:
        async with views(store_factory, 4) as stores:
            attempts = [
                store.commit(batch_of(run_row(number, key="k"), **{fid(number): events(1, 1)}))
                for number, store in enumerate(stores)
            ]
            found = await asyncio.gather(*attempts, return_exceptions=True)
            holders = [number for number, outcome in enumerate(found) if outcome is None]
            assert len(holders) == 1
            for outcome in found:
                assert outcome is None or isinstance(outcome, KeyTaken)
                assert outcome is None or outcome.holder == fid(holders[0])
            row = await stores[-1].launched("k")
            assert row is not None
            assert row.fid == fid(holders[0])
