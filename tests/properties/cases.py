"""Kinds and streams that single cases share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from penstock import (
    Action,
    Control,
    ControlContext,
    Event,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Port,
    Run,
    Runtime,
    Scheme,
    field,
)
from penstock.store.memory import MemoryStore
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


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
