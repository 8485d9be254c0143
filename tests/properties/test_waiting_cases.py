"""Runs that are cancelled, that wait, or that do several things at once, one case by one."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.properties.cases import PATIENCE_SECONDS, scheme_of, turns

from penstock import (
    Action,
    Control,
    ControlContext,
    Inputs,
    NodeError,
    Outputs,
    Port,
    RunState,
    Runtime,
    Scheme,
)
from penstock.core.events import EventType
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock


async def test_a_run_cancelled_before_its_first_turn_ends(make: Callable[..., Any]) -> None:
    scheme = scheme_of([])
    subject = make("flow: f\nnodes: [{kind: t.effect, name: a}]", scheme)
    async with asyncio.timeout(PATIENCE_SECONDS), Runtime(MemoryStore(), scheme=scheme) as runtime:
        run = await runtime.start(subject)
        await run.cancel("at once")
        assert (await run.row()).state is RunState.CANCELLED


FAILING_BESIDE = """
flow: f
nodes:
  - {kind: t.guard, name: guard, links: {out: nap, body: [bad, good]}}
  - {kind: t.effect, name: bad, fails: -1}
  - {kind: t.effect, name: good}
  - {kind: t.nap, name: nap}
"""


async def test_a_run_waits_though_a_child_failed_before_its_second_worker_began(
    make: Callable[..., Any],
) -> None:
    # `bad` fails without a suspension, so the worker meant for `good` is never started.
    class Bad(Action, kind="t.bad", pure=True):
        def run(self, inputs: Inputs) -> Outputs:
            raise NodeError("as asked", code="asked")

    scheme = scheme_of([])
    scheme.add(Bad)
    subject = make(FAILING_BESIDE.replace("t.effect, name: bad, fails: -1", "t.bad, name: bad"), scheme)
    clock = FakeClock()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime,
    ):
        run = await runtime.start(subject)
        async for event in run.events():
            if event.type == EventType.RUN_WAITING:
                break
        assert (await run.row()).state is RunState.WAITING


CALLS_AT_ONCE = """
flow: f
nodes:
  - {kind: t.each, name: each, items: [0, 1, 2], links: {body: BODY}}
  - {kind: t.nap, name: nap}
  - {kind: t.gate, name: work}
"""


async def test_a_run_whose_concurrent_calls_all_sleep_waits(make: Callable[..., Any]) -> None:
    scheme = scheme_of([])
    subject = make(CALLS_AT_ONCE.replace("BODY", "nap"), scheme)
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with Runtime(MemoryStore(), scheme=scheme, clock=FakeClock()) as runtime:
            run = await runtime.start(subject)
            async for event in run.events():
                if event.type == EventType.RUN_WAITING:
                    break
            assert (await run.row()).state is RunState.WAITING


async def test_a_run_of_which_one_call_sleeps_and_another_works_does_not_wait(
    make: Callable[..., Any],
) -> None:
    gates = {"work": asyncio.Event()}
    scheme = _with_choice(scheme_of([], gates))
    subject = make(
        """
flow: f
nodes:
  - {kind: t.each, name: each, items: [0, 1], links: {body: choose}}
  - {kind: t.choose, name: choose, links: {nap: nap, work: work}}
  - {kind: t.nap, name: nap}
  - {kind: t.gate, name: work}
""",
        scheme,
    )
    clock = FakeClock()
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
            run = await runtime.start(subject)
            await clock.scheduled()
            await turns(50)
            gates["work"].set()
            types = []
            async for event in run.events():
                types.append(event.type)
                if event.type == EventType.NODE_COMPLETED and event.node == "each[1]/work":
                    break
            assert EventType.RUN_WAITING not in types


def _with_choice(scheme: Scheme) -> Scheme:
    class Choose(Action, kind="t.choose", pure=True):
        out_ports = {"nap": Port(), "work": Port()}

        def run(self, inputs: Inputs) -> Outputs:
            return {"work" if inputs["in"] else "nap": inputs["in"]}

    scheme.add(Choose)
    return scheme


async def test_a_node_that_catches_failed_concurrent_calls_goes_on(make: Callable[..., Any]) -> None:
    """A task group that failed may leave its task looking cancelled, on some versions of Python."""

    class Brave(Control, kind="t.brave"):
        out_ports = {"out": Port(), "body": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            failed = 0
            try:
                async with asyncio.TaskGroup() as group:
                    for key in range(3):
                        group.create_task(ctx.call("body", key, key=key))
            except* NodeError as errors:
                failed = len(errors.exceptions)
            return {"out": f"{failed > 0}"}

    scheme = scheme_of([])
    scheme.add(Brave)
    subject = make(
        """
flow: f
nodes:
  - {kind: t.brave, name: brave, links: {body: bad, out: last}}
  - {kind: t.effect, name: bad, fails: -1}
  - {kind: t.effect, name: last}
""",
        scheme,
    )
    async with asyncio.timeout(PATIENCE_SECONDS), Runtime(MemoryStore(), scheme=scheme) as runtime:
        assert await (await runtime.start(subject)).result() == "True"
