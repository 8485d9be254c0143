"""Random graphs end, and fire each node as the rules say."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from tests.properties.execution import check_verdict, comparable, passing_time, whole_stream
from tests.properties.graphs import flows
from tests.properties.kinds import World, scheme_of
from tests.properties.reference import Interpreter, TooManyFirings, Verdict

from penstock import Runtime
from penstock.core.policies import Record
from penstock.core.spec import FlowSpec
from penstock.engine.loading import Loader
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock

INPUTS = {"a": 7}

QUICK = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
THOROUGH = settings(QUICK, max_examples=1000)


def verdict_of(spec: FlowSpec, edited: Mapping[str, Mapping[str, Any]] | None = None) -> Verdict:
    try:
        return Interpreter(spec, edited=edited).run(INPUTS)
    except TooManyFirings:
        assume(condition=False)
        raise


async def _check_recorded(spec: FlowSpec) -> None:
    verdict = verdict_of(spec)
    world, clock = World(), FakeClock()
    scheme = scheme_of(world)
    flow = Loader(scheme).compile(spec)
    async with passing_time(clock), Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
        events = await whole_stream(await runtime.launch(flow, INPUTS))
    check_verdict(events, verdict, skips=spec.settings.record is Record.FULL)


@given(flows())
@QUICK
def test_graphs_fire_as_the_rules_say(spec: FlowSpec) -> None:
    asyncio.run(_check_recorded(spec))


@pytest.mark.slow
@given(flows(most_nodes=14))
@THOROUGH
def test_many_larger_graphs_fire_as_the_rules_say(spec: FlowSpec) -> None:
    asyncio.run(_check_recorded(spec))


@given(flows(records=(Record.NONE,)))
@QUICK
def test_graphs_that_are_not_recorded_answer_as_the_rules_say(spec: FlowSpec) -> None:
    asyncio.run(_check_unrecorded(spec))


async def _check_unrecorded(spec: FlowSpec) -> None:
    verdict = verdict_of(spec)
    world, clock = World(), FakeClock()
    scheme = scheme_of(world)
    flow = Loader(scheme).compile(spec)
    async with passing_time(clock), Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
        run = await runtime.launch(flow, INPUTS)
        if verdict.completed:
            assert comparable(await run.result()) == comparable(verdict.response)
        else:
            with pytest.raises(Exception, match=run.fid):
                await run.result()
    assert world.executed.keys() <= verdict.must.fired.keys() | verdict.may.fired.keys()
