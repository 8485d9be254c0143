"""Random flows that are retried from any of their nodes end as if they had begun so."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.behaviour import IN_PORTS
from tests.properties.execution import check_stream, check_verdict, passing_time, whole_stream
from tests.properties.graphs import flows
from tests.properties.kinds import World, scheme_of
from tests.properties.programs import Program, machine_of, programs, steps_of
from tests.properties.test_graphs import INPUTS, QUICK, verdict_of

from penstock import EventType, Runtime
from penstock.core.spec import FlowSpec
from penstock.engine.loading import Loader
from penstock.engine.retrying.history import History
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock

ENDS = (EventType.NODE_COMPLETED, EventType.NODE_FAILED)
EDITS = st.dictionaries(st.sampled_from(IN_PORTS), st.integers(100, 105), max_size=2)


@given(flows(most_nodes=7), st.integers(0, 999), EDITS)
@settings(QUICK, max_examples=60)
def test_graphs_end_as_if_the_edited_inputs_had_arrived(
    spec: FlowSpec, choice: int, edit: dict[str, Any]
) -> None:
    asyncio.run(_check(spec, choice, edit))


@pytest.mark.slow
@given(flows(most_nodes=10), st.integers(0, 999), EDITS)
@settings(QUICK, max_examples=1000)
def test_many_larger_graphs_end_as_if_the_edited_inputs_had_arrived(
    spec: FlowSpec, choice: int, edit: dict[str, Any]
) -> None:
    asyncio.run(_check(spec, choice, edit))


async def _check(spec: FlowSpec, choice: int, edit: dict[str, Any]) -> None:
    verdict_of(spec)  # it is not too large
    world, clock = World(), FakeClock()
    scheme = scheme_of(world)
    flow = Loader(scheme).compile(spec)
    async with Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
        async with passing_time(clock):
            first = await runtime.launch(flow, INPUTS)
            before = await whole_stream(first)
        fired = sorted({event.node for event in before if event.type in ENDS})
        if not fired:
            return
        node = fired[choice % len(fired)]
        if node not in History(before):
            return  # the flow, or a node around it, began anew, and did not come so far again
        verdict = verdict_of(spec, {node: edit})
        async with passing_time(clock):
            again = await runtime.retry(first.fid, node=node, inputs=edit)
            events = await whole_stream(again)
        check_verdict(events, verdict, skips=False)
        # What is retried once more has nothing left to do but what failed.
        world.executed.clear()
        async with passing_time(clock):
            last = await whole_stream(await runtime.retry(again.fid))
    check_verdict(last, verdict, skips=False)
    done = {event.node for event in events if event.type == EventType.NODE_COMPLETED}
    if not any(event.type == EventType.NODE_RETRYING or "restart" in event.data for event in events):
        assert not done & set(world.executed), "done again"


@given(programs(), st.integers(0, 999))
@settings(QUICK, max_examples=60)
def test_programs_end_alike_from_any_operation(program: Program, choice: int) -> None:
    asyncio.run(_check_program(program, choice))


async def _check_program(program: Program, choice: int) -> None:
    executed: Counter[int] = Counter()
    clock, machine = FakeClock(), machine_of(executed)
    async with passing_time(clock), Runtime(MemoryStore(), clock=clock, flows=[machine]) as runtime:
        first = await runtime.start(machine, program=program)
        before = check_stream(await whole_stream(first))
        operations = sorted(before.nodes)
        if not operations:
            return
        node = operations[choice % len(operations)]
        known = executed.keys()
        executed.clear()
        again = check_stream(await whole_stream(await runtime.retry(first.fid, node=node)))
        assert (again.state, again.result) == (before.state, before.result)
        assert executed.keys() <= set(steps_of(program))
        if before.nodes[node].kind == "step":
            assert executed or not known
