"""Executing a random flow in a time that passes by itself, and holding it against a verdict."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from tests.properties.behaviour import is_failure
from tests.properties.reference import Story, Verdict

from penstock import Event, EventType, Run, RunState
from penstock.core.record import RunRecord
from penstock.engine import live
from penstock.testing.clock import FakeClock

PATIENCE_SECONDS = 5.0

_TURNS_BETWEEN_TIMERS = 12


@asynccontextmanager
async def passing_time(clock: FakeClock) -> AsyncIterator[None]:
    """Let the clock jump from timer to timer, with some turns of the loop in between.

    A run that has nothing to do waits at once, so that it is put aside and brought back.
    """

    async def pass_time() -> None:
        while True:
            for _ in range(_TURNS_BETWEEN_TIMERS):
                await asyncio.sleep(0)
            if clock.pending:
                clock.advance(max(0.0, clock.pending[0]))

    passing = asyncio.create_task(pass_time(), name="time")
    try:
        with patch.object(live, "SETTLE_SECONDS", 0.0):
            async with asyncio.timeout(PATIENCE_SECONDS):
                yield
    finally:
        passing.cancel()
        await asyncio.wait([passing])


async def whole_stream(run: Run) -> list[Event]:
    """All events of a run that ends."""
    return [event async for event in run.events()]


def check_stream(events: Sequence[Event]) -> RunRecord:
    """A stream is dense, legal, and ends once. Returns what it folds into."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.terminal for event in events].count(True) == 1
    return RunRecord.fold(events)


def check_verdict(events: Sequence[Event], verdict: Verdict, *, skips: bool) -> None:
    """What the stream says happened is what the rules say. skips: whether it says what did not."""
    record = check_stream(events)
    fired = {
        event.node: None if event.type == EventType.NODE_FAILED else comparable(event.data["outputs"])
        for event in events
        if event.type in (EventType.NODE_COMPLETED, EventType.NODE_FAILED)
    }
    must = _comparable(verdict.must)
    everything = _comparable(verdict.may) | must
    strange = fired.keys() - everything.keys()
    assert not strange, "fired against the rules"
    missing = must.keys() - fired.keys()
    assert not missing, "did not fire"
    differ = {name: (sent, everything[name]) for name, sent in fired.items() if sent != everything[name]}
    assert not differ, "sent something else than by the rules"
    if skips:
        skipped = {event.node for event in events if event.type == EventType.NODE_SKIPPED}
        assert skipped <= verdict.must.skipped | verdict.may.skipped
        assert skipped >= verdict.must.skipped
    if verdict.completed:
        assert record.state is RunState.COMPLETED, record.error
        assert comparable(record.result) == comparable(verdict.response)
        assert {error.node for error in record.failures} <= everything.keys()
        assert len(record.failures) == len(verdict.uncaught)
    else:
        assert record.state is RunState.FAILED


def _comparable(story: Story) -> dict[str, Any]:
    return {name: None if sent is None else comparable(sent) for name, sent in story.fired.items()}


def comparable(value: Any) -> Any:
    """A payload in which failures look alike and packets of a port are a list."""
    if is_failure(value):
        return "<failed>"
    if isinstance(value, Mapping):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    return value
