"""Commits, and what is read of them."""

from __future__ import annotations

import asyncio

import pytest

from penstock.core.errors import RunExists, StoreError
from penstock.core.events import Event, EventType
from penstock.core.payload import Error
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange
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


class StreamConformance:
    """Commits, and what is read of them."""

    async def test_committed_events_come_back_as_they_were(self, store_factory: StoreFactory) -> None:
        data = {
            "outputs": {"out": [None, True, -1, 2**200, 1.5, "ü", b"\x00\xff", {"a": []}]},
            "error": Error(
                code="timeout", message="late", node="n", details={"after": 3}, remedy="wait"
            ),
        }
        written = [
            Event(1, 1e9, EventType.RUN_STARTED, "", {"flow": "zen"}),
            Event(2, 1e9 + 0.25, EventType.NODE_COMPLETED, "each[3]/parse", data),
        ]
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): written}))
            assert await store.events(fid(1)) == written

    async def test_a_large_payload_comes_back_transparently(self, store_factory: StoreFactory) -> None:
        large = {"text": "x" * 400_000, "bytes": b"y" * 400_000}
        written = [
            Event(1, 1.0, "run.started", "", {"inputs": {"a": large, "b": 1}}),
            Event(
                2, 2.0, "node.completed", "n", {"outputs": {"out": large, "other": [2]}, "state": large}
            ),
            Event(3, 3.0, "run.completed", "", {"result": large}),
        ]
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): written}))
            assert await store.events(fid(1)) == written

    async def test_reading_starts_after_any_seq_and_stops_at_any_limit(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 3)}))
            await store.commit(batch_of(**{fid(1): events(4, 4)}))
            await store.commit(batch_of(**{fid(1): events(5, 9)}))
            for after in range(11):
                for limit in (None, 0, 1, 2, 20):
                    rest = list(range(after + 1, 10))
                    page = await seqs(store, 1, after=after, limit=limit)
                    assert page == rest[: len(page)]
                    assert len(page) >= len(rest[:limit])

    async def test_streams_written_in_turn_stay_apart(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(*(run_row(number) for number in range(10))))
            for step in range(1, 6):
                await store.commit(
                    batch_of(**{fid(number): events(step, step, of=number) for number in range(10)})
                )
            for number in range(10):
                assert await store.events(fid(number)) == events(1, 5, of=number)

    async def test_an_unknown_run_has_no_row_and_no_events(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert await store.run(fid(1)) is None
            assert await store.events(fid(1)) == []

    @pytest.mark.parametrize("wrong", [events(2, 2), events(4, 5), events(3, 3) + events(5, 5)])
    async def test_events_that_do_not_follow_are_refused(
        self, store_factory: StoreFactory, wrong: list[Event]
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 2)}))
            with pytest.raises(StoreError, match=fid(1)) as caught:
                await store.commit(batch_of(**{fid(1): wrong}))
            assert caught.value.fid == fid(1)
            await store.commit(batch_of(**{fid(1): events(3, 3)}))
            assert await seqs(store, 1) == [1, 2, 3]

    async def test_a_refused_batch_can_be_committed_without_the_run_at_fault(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), run_row(2), **{fid(2): events(1, 1)}))
            batch = batch_of(run_row(3), **{fid(n): events(1, 2) for n in (1, 2, 3)})
            with pytest.raises(StoreError) as caught:
                await store.commit(batch)
            assert caught.value.fid == fid(2)
            batch.without(fid(2))
            await store.commit(batch)
            assert [await seqs(store, number) for number in (1, 2, 3)] == [[1, 2], [1], [1, 2]]

    async def test_a_refused_batch_leaves_nothing_behind(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 1)}))
            bad = batch_of(run_row(2), **{fid(2): events(1, 1), fid(1): events(3, 3)})
            bad.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.FAILED)
            with pytest.raises(StoreError):
                await store.commit(bad)
            assert await store.run(fid(2)) is None
            assert await seqs(store, 1) == [1]
            row = await store.run(fid(1))
            assert row is not None
            assert row.state is RunState.RUNNING
            await store.commit(batch_of(run_row(2), **{fid(2): events(1, 1), fid(1): events(2, 2)}))
            assert (await seqs(store, 1), await seqs(store, 2)) == ([1, 2], [1])

    async def test_events_and_changes_of_an_unknown_run_are_refused(
        self, store_factory: StoreFactory
    ) -> None:
        change = Batch()
        change.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.FAILED)
        async with opened(store_factory) as store:
            for batch in (batch_of(**{fid(1): events(1, 1)}), change):
                with pytest.raises(StoreError, match=fid(1)):
                    await store.commit(batch)

    async def test_a_run_cannot_be_made_twice(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 1)}))
            with pytest.raises(RunExists, match=fid(1)) as caught:
                await store.commit(batch_of(run_row(2), run_row(1, flow="other")))
            assert caught.value.fid == fid(1)
            await store.commit(batch_of(**{fid(1): events(2, 2)}))
            assert [row.flow for row in await store.runs()] == ["zen"]

    async def test_an_empty_batch_changes_nothing(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(Batch())
            await store.commit(batch_of(run_row(1), **{fid(1): []}))
            assert await seqs(store, 1) == []

    async def test_a_run_goes_on_after_it_waited(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            waiting = batch_of(run_row(1), **{fid(1): events(1, 2)})
            waiting.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.WAITING, wake_at=2e9)
            await store.commit(waiting)
            await store.commit(batch_of(**{fid(1): events(3, 3)}))
            assert await seqs(store, 1) == [1, 2, 3]

    async def test_a_durable_store_keeps_everything_when_it_is_opened_again(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 3)}))
            await store.save_revision("d1", {"name": "zen"})
            row, durable = await store.run(fid(1)), store.durable
        if durable:
            async with opened(store_factory) as store:
                assert await store.run(fid(1)) == row
                assert await store.events(fid(1)) == events(1, 3)
                assert await store.revision("d1") == {"name": "zen"}
                await store.commit(batch_of(**{fid(1): events(4, 4)}))
                assert await seqs(store, 1) == [1, 2, 3, 4]

    async def test_changed_returns_at_once_when_there_is_news(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            await store.commit(batch_of(run_row(1), **{fid(1): events(1, 2)}))
            await store.changed(fid(1), after=1)

    async def test_changed_waits_for_the_next_event_of_its_run(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            await store.commit(batch_of(run_row(1), run_row(2), **{fid(1): events(1, 2)}))
            waiter = asyncio.create_task(store.changed(fid(1), after=2), name="waiter")
            await asyncio.wait([waiter], timeout=0)
            await store.commit(batch_of(**{fid(2): events(1, 1)}))
            await asyncio.wait([waiter], timeout=0)
            assert not waiter.done()
            await store.commit(batch_of(**{fid(1): events(3, 3)}))
            await waiter
