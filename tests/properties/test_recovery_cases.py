"""Crashes that random testing found, or that reading the engine suggested, one by one."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.properties.cases import PATIENCE_SECONDS, Ledger, going_on, scheme_of, stream_of, turns, up_to

from penstock import (
    Action,
    Context,
    Emit,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Port,
    Runtime,
    flow,
)
from penstock.core.events import EventType
from penstock.store.memory import MemoryStore

RETRIED = """
flow: f
nodes:
  - {kind: t.once, name: outer, retry: {attempts: 3, delay: 0}, links: {body: first}}
  - {kind: t.effect, name: first, links: {out: flaky}}
  - {kind: t.flaky, name: flaky}
"""


async def test_another_attempt_after_a_crash_calls_its_children_anew(make: Callable[..., Any]) -> None:
    """A failure that the journal holds is not the answer to the attempts that follow it."""
    ledger: Ledger = []
    calls = 0

    class Flaky(Action, kind="t.flaky"):
        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            nonlocal calls
            calls += 1
            ledger.append(ctx.node)
            if calls == 1:
                raise NodeError("the first time", code="first")
            return {"out": "well"}

    scheme = scheme_of(ledger)
    scheme.add(Flaky)
    subject = make(RETRIED, scheme)
    events = await stream_of(subject, scheme)
    assert events[-1].data["result"] == "well"
    died = up_to(events, EventType.NODE_FAILED, "outer[0]/flaky")
    async with going_on(died, subject, scheme) as run:
        assert await run.result() == "well"


@flow
async def calls_and_goes_on(ctx: Context) -> Any:
    try:
        found = await ctx.call(CALLED[0])
    except NodeError as error:
        found = error.code
    return [found, await ctx.step(after)]


def after() -> str:
    return "after"


CALLED: list[Any] = []

TWO_BRANCHES = """
flow: two
nodes:
  - {kind: t.effect, name: start, links: {out: [bad, good]}}
  - {kind: t.slowly_bad, name: bad}
  - {kind: t.effect, name: good}
"""


@pytest.mark.parametrize("record", ["full", "effects"])
async def test_what_was_done_beside_a_recorded_failure_is_no_change_of_the_flow(
    make: Callable[..., Any], record: str
) -> None:
    """A child that failed is not traversed to its end again; the rest of it is still known."""

    class SlowlyBad(Action, kind="t.slowly_bad"):
        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            await turns(20)
            raise NodeError("as asked", code="asked")

    scheme = scheme_of([])
    scheme.add(SlowlyBad)
    CALLED[:] = [make(TWO_BRANCHES, scheme)]
    events = await stream_of(calls_and_goes_on, scheme)
    assert events[-1].data["result"] == ["asked", "after"]
    if record == "full":
        died = up_to(events, EventType.NODE_FAILED, "two#1/bad")
        async with going_on(died, calls_and_goes_on, scheme) as run:
            assert await run.result() == ["asked", "after"]
    guarded = make(
        f"""
flow: f
settings: {{record: {record}}}
nodes:
  - {{kind: t.guard, name: guard, links: {{out: last, body: start}}}}
  - {{kind: t.effect, name: start, links: {{out: [bad, good]}}}}
  - {{kind: t.slowly_bad, name: bad}}
  - {{kind: t.effect, name: good}}
  - {{kind: t.effect, name: last}}
""",
        scheme,
    )
    events = await stream_of(guarded, scheme)
    assert events[-1].data["result"] == "caught asked"
    died = up_to(events, EventType.NODE_FAILED, "guard[0]/bad")
    async with going_on(died, guarded, scheme) as run:
        assert await run.result() == "caught asked"


async def test_no_two_packets_of_a_port_bear_the_same_branch(make: Callable[..., Any]) -> None:
    """`again` fires for a single packet and for a list's second one: two firings, two names."""

    class Pieces(Action, kind="t.pieces", pure=True):
        out_ports = {"out": Port(many=True)}

        def run(self, inputs: Inputs) -> Outputs:
            return {"out": Emit(["x", "y", "z"])}

    class Mixed(Action, kind="t.mixed", pure=True):
        out_ports = {"out": Port(many=True)}

        def run(self, inputs: Inputs) -> Outputs:
            value = inputs["in"]
            return {
                "out": value if value in ("x", "y", "z") else Emit([f"{value}{n}" for n in range(3)])
            }

    scheme = scheme_of([])
    scheme.add(Pieces, Mixed)
    subject = make(
        """
flow: f
nodes:
  - {kind: t.effect, name: one, links: {out: mixed}}
  - {kind: t.pieces, name: many, links: {out: mixed}}
  - {kind: t.mixed, name: mixed, links: {out: again}}
  - {kind: t.effect, name: again}
""",
        scheme,
    )
    events = await stream_of(subject, scheme)
    fired = [event.node for event in events if event.type == EventType.NODE_COMPLETED]
    assert len(fired) == len(set(fired)), sorted(fired)


async def test_the_state_of_a_node_after_a_crash_is_the_last_that_was_recorded(
    make: Callable[..., Any],
) -> None:
    gates = {"count#0": asyncio.Event()}
    scheme = scheme_of([], gates)
    subject = make(
        """
flow: f
nodes:
  - {kind: t.effect, name: a, links: {out: count}}
  - {kind: t.effect, name: b, links: {out: count}}
  - {kind: t.gate, name: late, links: {out: count}}
  - {kind: t.count, name: count}
""",
        scheme,
    )
    # Firing 0 begins first and ends last, so that its record holds the newer state.
    gates["late"] = asyncio.Event()
    async with asyncio.timeout(PATIENCE_SECONDS), Runtime(MemoryStore(), scheme=scheme) as runtime:
        run = await runtime.start(subject)
        async for event in run.events():
            if event.type == EventType.NODE_COMPLETED and event.node == "count#1":
                gates["count#0"].set()
            if event.type == EventType.NODE_COMPLETED and event.node == "count#0":
                gates["late"].set()
        events = await runtime.store.events(run.fid)
        assert sorted(await run.result()) == [1, 2, 3]
    died = up_to(events, EventType.NODE_COMPLETED, "count#0")
    async with going_on(died, subject, scheme) as run:
        assert sorted(await run.result()) == [1, 2, 3]
