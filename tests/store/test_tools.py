"""The tools for tests do what they promise."""

import asyncio

import pytest

from penstock.core.errors import StoreFull, StoreLocked
from penstock.engine.clock import SystemClock
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock
from penstock.testing.conformance import batch_of, events, fid, run_row, seqs
from penstock.testing.faults import FaultyStore


def test_due_timers_fire_in_order_each_at_its_time():
    clock, fired = FakeClock(now=100.0), []
    for name, seconds in (("b", 2), ("a", 1), ("c", 2), ("late", 9)):
        clock.call_later(seconds, lambda name=name: fired.append((name, clock.now())))
    clock.advance(2)
    assert fired == [("a", 101.0), ("b", 102.0), ("c", 102.0)]
    assert (clock.now(), clock.monotonic(), clock.pending) == (102.0, 2.0, [7.0])


def test_a_timer_made_by_a_timer_fires_within_the_same_span():
    clock, fired = FakeClock(), []
    clock.call_later(1, lambda: clock.call_later(1, lambda: fired.append(clock.monotonic())))
    clock.advance(5)
    assert fired == [2.0]
    assert clock.monotonic() == 5.0


def test_a_cancelled_timer_does_not_fire():
    clock, fired = FakeClock(), []
    clock.call_later(1, lambda: fired.append(1)).cancel()
    assert clock.pending == []
    clock.advance(2)
    assert fired == []


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(-1)


def test_chance_comes_from_the_given_sequence():
    clock = FakeClock(chances=(0.1, 0.9))
    assert [clock.chance() for _ in range(3)] == [0.1, 0.9, 0.1]


async def test_scheduled_waits_until_somebody_sets_a_timer():
    clock = FakeClock()
    waiter = asyncio.create_task(clock.scheduled(2), name="waiter")
    clock.call_later(1, print)
    await asyncio.wait([waiter], timeout=0)
    assert not waiter.done()
    clock.call_later(1, print)
    await waiter


async def test_the_system_clock_calls_back_on_the_loop():
    clock, done = SystemClock(), asyncio.Event()
    clock.call_later(60, pytest.fail).cancel()
    clock.call_later(0, done.set)
    before = clock.monotonic()
    async with asyncio.timeout(5):
        await done.wait()
    assert clock.monotonic() >= before
    assert clock.now() > 1.7e9
    assert 0 <= clock.chance() < 1


async def test_chosen_commits_fail_are_lost_or_held():
    gate = asyncio.Event()
    store = FaultyStore(
        MemoryStore(), fail={2: StoreFull("full")}, lose={3: StoreLocked("lost")}, hold={4: gate}
    )
    await store.commit(batch_of(run_row(1), **{fid(1): events(1, 1)}))
    with pytest.raises(StoreFull):
        await store.commit(batch_of(**{fid(1): events(2, 2)}))
    assert await seqs(store, 1) == [1]
    with pytest.raises(StoreLocked):
        await store.commit(batch_of(**{fid(1): events(2, 2)}))
    assert await seqs(store, 1) == [1, 2]
    held = asyncio.create_task(store.commit(batch_of(**{fid(1): events(3, 3)})), name="held")
    await asyncio.wait([held], timeout=0)
    assert await seqs(store, 1) == [1, 2]
    gate.set()
    await held
    assert await seqs(store, 1) == [1, 2, 3]
    assert store.commits == 4
