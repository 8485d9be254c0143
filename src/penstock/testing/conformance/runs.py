"""The rows of runs, and what they execute."""

from __future__ import annotations

from typing import Any

from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange, RunQuery
from penstock.testing.conformance.samples import (
    StoreFactory,
    batch_of,
    events,
    fid,
    opened,
    run_row,
)


class RunConformance:
    """The rows of runs, and what they execute."""

    async def test_a_row_comes_back_with_the_last_seq(self, store_factory: StoreFactory) -> None:
        row = run_row(
            1,
            source="python",
            revision="d1",
            wake_at=2e9,
            owner="me",
            ended=3e9,
            error="no",
            seq=2,
            namespace="shop",
            launcher="ada",
            executor="subprocess",
            key="order-1",
            locks=3,
        )
        async with opened(store_factory) as store:
            await store.commit(batch_of(row, **{fid(1): events(1, 2)}))
            assert await store.run(fid(1)) == row

    async def test_a_change_leaves_unset_fields_as_they_are(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, wake_at=5.0, owner="me"), run_row(2)))
            batch = Batch()
            batch.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.WAITING)
            batch.changes[fid(2)] = RunChange(fid=fid(2), wake_at=7.0, error="late", locks=2)
            await store.commit(batch)
            assert await store.run(fid(1)) == run_row(1, state=RunState.WAITING, wake_at=5.0, owner="me")
            assert await store.run(fid(2)) == run_row(2, wake_at=7.0, error="late", locks=2)

    async def test_a_change_can_empty_a_field(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(
                batch_of(run_row(1, wake_at=5.0, owner="me", ended=6.0, error="x", locks=1))
            )
            batch = Batch()
            batch.changes[fid(1)] = RunChange(
                fid=fid(1), wake_at=None, owner="", ended=None, error="", locks=0
            )
            await store.commit(batch)
            assert await store.run(fid(1)) == run_row(1)

    async def test_an_error_of_any_text_is_kept_so_that_it_can_be_read(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1)))
            batch = Batch()
            batch.changes[fid(1)] = RunChange(fid=fid(1), error="before \0 and \ud800 after")
            await store.commit(batch)
            row = await store.run(fid(1))
            assert row is not None
            assert row.error.startswith("before ")
            assert row.error.endswith(" after")

    async def test_runs_come_newest_first_page_by_page(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(*(run_row(number) for number in (3, 1, 5, 2, 4))))
            found = [row.fid for row in await store.runs()]
            assert found == [fid(number) for number in (5, 4, 3, 2, 1)]
            assert [row.fid for row in await store.runs(RunQuery(limit=2))] == found[:2]
            assert [row.fid for row in await store.runs(RunQuery(before=found[1], limit=2))] == found[
                2:4
            ]
            assert await store.runs(RunQuery(before=found[-1])) == []

    async def test_runs_are_found_by_state_and_flow(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            states = list(RunState)
            await store.commit(
                batch_of(
                    *(
                        run_row(
                            number, state=states[number % 6], flow="even" if number % 2 == 0 else "odd"
                        )
                        for number in range(24)
                    )
                )
            )

            async def found(**options: Any) -> list[int]:
                return [int(row.fid[3:]) for row in await store.runs(RunQuery(**options))]

            pending, waiting = RunState.PENDING, RunState.WAITING
            assert await found(states=(pending,)) == [18, 12, 6, 0]
            assert await found(states=(waiting, pending, waiting)) == [20, 18, 14, 12, 8, 6, 2, 0]
            assert await found(states=(pending, waiting), limit=3, before=fid(18)) == [14, 12, 8]
            assert await found(states=(pending,), flow="odd") == []
            assert await found(flow="odd", limit=2) == [23, 21]

    async def test_a_revision_is_kept_once(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert await store.revision("d1") is None
            await store.save_revision("d1", {"nodes": [{"kind": "nop", "big": 2**70}]})
            await store.save_revision("d1", {"nodes": []})
            assert await store.revision("d1") == {"nodes": [{"kind": "nop", "big": 2**70}]}
