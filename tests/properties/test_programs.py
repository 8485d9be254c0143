"""Random Python flows end as they mean to, live and from every prefix of their journal."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from tests.properties.execution import check_stream, passing_time, whole_stream
from tests.properties.programs import Fails, Program, machine_of, meaning, programs, steps_of
from tests.properties.test_graphs import QUICK

from penstock import Event, EventType, RunState, Runtime
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock
from penstock.testing.prefixes import plant


@given(programs())
@settings(QUICK, max_examples=40)
def test_programs_go_on_from_every_prefix(program: Program) -> None:
    asyncio.run(_check(program, most=10))


@pytest.mark.slow
@given(programs(most_operations=30))
@settings(QUICK, max_examples=200)
def test_many_longer_programs_go_on_from_every_prefix(program: Program) -> None:
    asyncio.run(_check(program, most=50))


async def _check(program: Program, *, most: int) -> None:
    """most: how many prefixes to try, spread over the stream."""
    executed: Counter[int] = Counter()
    clock, machine = FakeClock(), machine_of(executed)
    async with passing_time(clock), Runtime(MemoryStore(), clock=clock, flows=[machine]) as runtime:
        events = await whole_stream(await runtime.start(machine, program=program))
    _check_end(events, program)
    assert executed.keys() <= set(steps_of(program))
    step = max(1, len(events) // most)
    for length in range(1, len(events), step):
        await _check_prefix(events[:length], program)


async def _check_prefix(prefix: Sequence[Event], program: Program) -> None:
    executed: Counter[int] = Counter()
    clock, machine = FakeClock(), machine_of(executed)
    store = MemoryStore()
    fid = await plant(store, prefix, machine)
    async with passing_time(clock), Runtime(store, clock=clock, flows=[machine]) as runtime:
        events = await whole_stream(await runtime.resume(fid))
    _check_end(events, program)
    again = executed.keys() & _done(prefix)
    assert not again, f"steps {again} ran again after event {len(prefix)}"


def _check_end(events: Sequence[Event], program: Program) -> None:
    record = check_stream(events)
    try:
        expected: Any = meaning(program)
    except Fails:
        assert record.state is RunState.FAILED
        assert record.error is not None
        assert record.error.code == "drawn", record.error.message
    else:
        assert record.state is RunState.COMPLETED, record.error
        assert record.result == expected


def _done(events: Sequence[Event]) -> set[int]:
    """The numbers of the steps that have a recorded outcome."""
    found = set()
    for event in events:
        if event.type == EventType.NODE_COMPLETED and event.node.rpartition("/")[2].startswith("act#"):
            found.add(event.data["outputs"])
        if event.type == EventType.NODE_FAILED:
            found.add(event.data["error"].details)
    return found
