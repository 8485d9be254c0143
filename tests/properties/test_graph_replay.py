"""Random graphs go on from every prefix of their journal to the same end."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from tests.properties.execution import check_verdict, passing_time, whole_stream
from tests.properties.graphs import flows
from tests.properties.kinds import World, scheme_of
from tests.properties.reference import Verdict
from tests.properties.test_graphs import INPUTS, QUICK, verdict_of

from penstock import Event, EventType, Runtime
from penstock.core.policies import Record
from penstock.core.record import firing
from penstock.core.spec import FlowSpec
from penstock.engine.loading import Loader
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock
from penstock.testing.prefixes import plant


@given(flows(most_nodes=6))
@settings(QUICK, max_examples=40)
def test_graphs_go_on_from_every_prefix(spec: FlowSpec) -> None:
    asyncio.run(_check_prefixes(spec, most=12))


@pytest.mark.slow
@given(flows(most_nodes=9))
@settings(QUICK, max_examples=200)
def test_many_larger_graphs_go_on_from_every_prefix(spec: FlowSpec) -> None:
    asyncio.run(_check_prefixes(spec, most=60))


async def _check_prefixes(spec: FlowSpec, *, most: int) -> None:
    """most: how many prefixes to try, spread over the stream."""
    verdict = verdict_of(spec)
    clock = FakeClock()
    scheme = scheme_of(World())
    flow = Loader(scheme).compile(spec)
    async with passing_time(clock), Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
        events = await whole_stream(await runtime.launch(flow, INPUTS))
    step = max(1, len(events) // most)
    for length in range(1, len(events), step):
        await _check_prefix(spec, events[:length], verdict)


async def _check_prefix(spec: FlowSpec, prefix: Sequence[Event], verdict: Verdict) -> None:
    world, clock = World(), FakeClock()
    scheme = scheme_of(world)
    store = MemoryStore()
    fid = await plant(store, prefix, Loader(scheme).compile(spec))
    async with passing_time(clock), Runtime(store, scheme=scheme, clock=clock) as runtime:
        # The flow is restored from what the store kept of it, as after a real crash.
        events = await whole_stream(await runtime.resume(fid))
    check_verdict(events, verdict, skips=spec.settings.record is Record.FULL)
    done = _done(prefix, events) - _called_anew(spec, events)
    again = {name for name in world.executed if name in done}
    assert not again, f"ran again after event {len(prefix)}"
    assert world.keys == {name: {f"{fid}:{name}"} for name in world.executed}


def _done(prefix: Sequence[Event], events: Sequence[Event]) -> set[str]:
    """Firings with a recorded outcome; a restart of the run, then or later, forgets them."""
    if any(_is_restart(event) for event in events[len(prefix) :]):
        return set()
    restarts = [event.seq for event in prefix if _is_restart(event)]
    ends = (EventType.NODE_COMPLETED, EventType.NODE_FAILED)
    return {event.node for event in prefix[max(restarts, default=0) :] if event.type in ends}


def _is_restart(event: Event) -> bool:
    return event.type == EventType.RUN_RESUMED and event.data["reason"] == "restart"


def _called_anew(spec: FlowSpec, events: Sequence[Event]) -> set[str]:
    """Firings inside of a control node that was tried again: it calls its children anew."""
    retried = {event.node for event in events if event.type == EventType.NODE_RETRYING}
    names = {event.node for event in events if event.node}
    return {name for name in names if any(outer in retried for outer in _outers(name))}


def _outers(name: str) -> list[str]:
    found = []
    while "/" in name:
        name = firing(name.rpartition("/")[0])
        found.append(name)
    return found
