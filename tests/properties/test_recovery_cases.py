"""Crashes that random testing found, or that reading the engine suggested, one by one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock import (
    Action,
    Context,
    Control,
    ControlContext,
    Emit,
    Event,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Port,
    Run,
    RunState,
    Runtime,
    Scheme,
    field,
    flow,
    load_flow,
)
from penstock.core.events import EventType
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock
from penstock.testing.prefixes import plant

PATIENCE_SECONDS = 5.0

Ledger = list[str]


def scheme_of(ledger: Ledger, gates: dict[str, asyncio.Event] | None = None) -> Scheme:
    """Kinds whose instances write down each execution: `NODE:ATTEMPT`."""

    class Effect(Action, kind="t.effect"):
        """fails: attempts that fail, or -1 for all."""

        fails: int = 0

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            ledger.append(f"{ctx.node}:{ctx.attempt}")
            if self.fails == -1 or ctx.attempt <= self.fails:
                raise NodeError("as asked", code="asked")
            return {"out": inputs["in"]}

    class Gate(Action, kind="t.gate"):
        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            ledger.append(f"{ctx.node}:{ctx.attempt}")
            if gates is not None and ctx.node.rpartition("/")[2] in gates:
                await gates[ctx.node.rpartition("/")[2]].wait()
            return {"out": inputs["in"]}

    class Nap(Action, kind="t.nap"):
        seconds: float = 3600

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            await ctx.sleep(self.seconds)
            return {"out": inputs["in"]}

    class Guard(Control, kind="t.guard"):
        """Calls `body`; a failure inside becomes `caught`."""

        out_ports = {"out": Port(), "body": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            try:
                return {"out": await ctx.call("body", inputs["in"])}
            except NodeError as error:
                return {"out": f"caught {error.code}"}

    class Each(Control, kind="t.each"):
        """Calls `body` for every item at the same time."""

        items: list[Any] = field(default_factory=list)
        out_ports = {"out": Port(), "body": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(ctx.call("body", item, key=key))
                    for key, item in enumerate(self.items)
                ]
            return {"out": [task.result() for task in tasks]}

    class Once(Control, kind="t.once"):
        """Calls `body` once, and lets a failure inside be its own."""

        out_ports = {"out": Port(), "body": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            return {"out": await ctx.call("body", inputs["in"])}

    class Count(Action, kind="t.count"):
        """Counts its firings in the run's state; waits where a gate bears its firing's name."""

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            ledger.append(f"{ctx.node}:{ctx.attempt}")
            if gates is not None and ctx.node in gates:
                await gates[ctx.node].wait()
            ctx.state["count"] = ctx.state.get("count", 0) + 1
            return {"out": ctx.state["count"]}

    scheme = Scheme()
    scheme.add(Effect, Gate, Nap, Guard, Each, Once, Count)
    return scheme


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    def load(text: str, scheme: Scheme) -> Any:
        path = tmp_path / "flow.yaml"
        path.write_text(text)
        return load_flow(path, scheme=scheme)

    return load


@asynccontextmanager
async def going_on(
    events: list[Event], subject: Any, scheme: Scheme, **options: Any
) -> AsyncIterator[Run]:
    """The run that died after these events, brought back."""
    store = MemoryStore()
    fid = await plant(store, events, subject)
    flows = [subject] if subject.source == "python" else []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with Runtime(store, scheme=scheme, flows=flows, **options) as runtime:
            yield await runtime.resume(fid)


async def stream_of(subject: Any, scheme: Scheme, **inputs: Any) -> list[Event]:
    """A whole run's events."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with Runtime(MemoryStore(), scheme=scheme) as runtime:
            run = await runtime.start(subject, **inputs)
            return [event async for event in run.events()]


def up_to(events: list[Event], type_: str, node: str) -> list[Event]:
    """The stream up to and with the first event of this type about this firing."""
    for length, event in enumerate(events, 1):
        if event.type == type_ and event.node == node:
            return events[:length]
    raise AssertionError(f"no {type_} of {node} in {[(e.type, e.node) for e in events]}")


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
            await _turns(50)
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


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


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
            await _turns(20)
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
