"""What every store must do, as a test class.

    pytest.register_assert_rewrite("penstock.testing.conformance")

    from penstock.testing.conformance import StoreConformance

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store_factory(self, tmp_path):
            return lambda: MyStore(tmp_path / "journal")

`store_factory` makes a store that is not open yet. Of a durable store each call gives
another view of the same data. The tests are coroutines: set `asyncio_mode = "auto"` of
pytest-asyncio.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.errors import StoreError
from penstock.core.events import Event, EventType
from penstock.core.payload import Error
from penstock.core.states import RunState
from penstock.core.store import Batch, RunChange, RunRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from penstock.core.store import Store

    StoreFactory = Callable[[], Store]

PATIENCE_SECONDS = 10.0


def fid(number: int) -> str:
    """A run id; a higher number is a later run."""
    return f"01J{number:023d}"


def batch_of(*rows: RunRow, **events: list[Event]) -> Batch:
    """A batch of new runs, and of events by fid."""
    batch = Batch()
    batch.runs.extend(rows)
    batch.events.update(events)
    return batch


def run_row(number: int, **fields: Any) -> RunRow:
    """The row of a run that is under way."""
    usual: dict[str, Any] = {
        "fid": fid(number),
        "flow": "zen",
        "state": RunState.RUNNING,
        "started": 1e9 + number,
    }
    return RunRow(**usual | fields)


def events(first: int, last: int, **data: Any) -> list[Event]:
    """Events with these seqs."""
    return [Event(seq, 1e9 + seq, "node.completed", f"n{seq}", data) for seq in range(first, last + 1)]


@asynccontextmanager
async def opened(factory: StoreFactory) -> AsyncIterator[Store]:
    store = factory()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def seqs(store: Store, number: int, **options: Any) -> list[int]:
    return [event.seq for event in await store.events(fid(number), **options)]


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
            with pytest.raises(StoreError, match=fid(1)):
                await store.commit(batch_of(run_row(1, flow="other")))
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


class RunConformance:
    """The rows of runs, and what they execute."""

    async def test_a_row_comes_back_with_the_last_seq(self, store_factory: StoreFactory) -> None:
        row = run_row(
            1, source="python", revision="d1", wake_at=2e9, owner="me", ended=3e9, error="no", seq=2
        )
        async with opened(store_factory) as store:
            await store.commit(batch_of(row, **{fid(1): events(1, 2)}))
            assert await store.run(fid(1)) == row

    async def test_a_change_leaves_unset_fields_as_they_are(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, wake_at=5.0, owner="me"), run_row(2)))
            batch = Batch()
            batch.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.WAITING)
            batch.changes[fid(2)] = RunChange(fid=fid(2), wake_at=7.0, error="late")
            await store.commit(batch)
            assert await store.run(fid(1)) == run_row(1, state=RunState.WAITING, wake_at=5.0, owner="me")
            assert await store.run(fid(2)) == run_row(2, wake_at=7.0, error="late")

    async def test_a_change_can_empty_a_field(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, wake_at=5.0, owner="me", ended=6.0, error="x")))
            batch = Batch()
            batch.changes[fid(1)] = RunChange(fid=fid(1), wake_at=None, owner="", ended=None, error="")
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
            assert [row.fid for row in await store.runs(limit=2)] == found[:2]
            assert [row.fid for row in await store.runs(before=found[1], limit=2)] == found[2:4]
            assert await store.runs(before=found[-1]) == []

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
                return [int(row.fid[3:]) for row in await store.runs(**options)]

            pending, waiting = RunState.PENDING, RunState.WAITING
            assert await found(states=[pending]) == [18, 12, 6, 0]
            assert await found(states=[waiting, pending, waiting]) == [20, 18, 14, 12, 8, 6, 2, 0]
            assert await found(states=[pending, waiting], limit=3, before=fid(18)) == [14, 12, 8]
            assert await found(states=[pending], flow="odd") == []
            assert await found(flow="odd", limit=2) == [23, 21]

    async def test_a_revision_is_kept_once(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert await store.revision("d1") is None
            await store.save_revision("d1", {"nodes": [{"kind": "nop", "big": 2**70}]})
            await store.save_revision("d1", {"nodes": []})
            assert await store.revision("d1") == {"nodes": [{"kind": "nop", "big": 2**70}]}


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
            ended = await store.runs(states=[state for state in RunState if state.terminal])
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


class StoreConformance(StreamConformance, RunConformance, OwnerConformance):
    """All of it. Derive from this class and give it `store_factory`."""
