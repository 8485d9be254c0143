"""What a node costs that does nothing: a chain, a fan-out and fan-in, small and large."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from benchmarks.figure import Figure
from penstock import Action, Inputs, Outputs, Port, Runtime, Scheme, node
from penstock.core.policies import Join, Record
from penstock.core.spec import FlowSpec, Link, NodeSpec, Settings
from penstock.engine.loading import Loader

if TYPE_CHECKING:
    from penstock.core.ports import Ports
    from penstock.engine.flow import Flow


@node("bench.plus_one", pure=True)
def plus_one(value: int) -> int:
    return value + 1


@node("bench.same", pure=True)
async def same(value: int) -> int:
    return value


class Gather(Action, kind="bench.gather", pure=True, normalised=True):
    """Everything that came, as a list."""

    in_ports: ClassVar[Ports] = {"in[]": Port()}
    default_join: ClassVar[Join] = Join.ANY

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": list(inputs.values())}


_QUIET = Settings(record=Record.NONE)
_INPUTS = {"value": {"type": "integer"}}


def chain(length: int, kind: str = "bench.plus_one") -> FlowSpec:
    """`length` nodes, one behind the other."""

    def link(number: int) -> tuple[Link, ...]:
        last = number == length - 1
        return () if last else (Link(port="out", node=f"n{number + 1}", to="value"),)

    nodes = tuple(NodeSpec(kind=kind, name=f"n{number}", links=link(number)) for number in range(length))
    return FlowSpec(name="chain", inputs=_INPUTS, settings=_QUIET, nodes=nodes)


def fan(width: int) -> FlowSpec:
    """One node, `width` behind it side by side, and one that gathers them."""
    out = tuple(Link(port="out", node=f"n{number}", to="value") for number in range(width))
    middle = tuple(
        NodeSpec(
            kind="bench.same",
            name=f"n{number}",
            links=(Link(port="out", node="all", to=f"in[{number}]"),),
        )
        for number in range(width)
    )
    ends = (
        NodeSpec(kind="bench.same", name="one", links=out),
        NodeSpec(kind="bench.gather", name="all"),
    )
    return FlowSpec(name="fan", inputs=_INPUTS, settings=_QUIET, nodes=(*ends, *middle))


async def _per_node(flow: Flow, nodes: int, repeats: int) -> float:
    """Microseconds per node: the best of several whole runs, start and result included."""
    best = float("inf")
    async with Runtime("memory:") as runtime:
        for _ in range(repeats):
            began = time.perf_counter()
            run = await runtime.start(flow, value=0)
            await run.result()
            best = min(best, time.perf_counter() - began)
    return best / nodes * 1e6


def _call_cost() -> float:
    """Microseconds of a direct call of the same function, in a loop."""
    call: Callable[[int], int] = plus_one.function
    best = float("inf")
    for _ in range(20):
        value = 0
        began = time.perf_counter()
        for _ in range(10_000):
            value = call(value)
        best = min(best, time.perf_counter() - began)
    return best / 10_000 * 1e6


async def _task_cost() -> float:
    """Microseconds of an asyncio task that does the same, 10,000 at a time."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(10_000):
                group.create_task(same.function(number))
        best = min(best, time.perf_counter() - began)
    return best / 10_000 * 1e6


async def measure() -> list[Figure]:
    scheme = Scheme()
    scheme.add(plus_one, same, Gather)
    loader = Loader(scheme)
    call, task = _call_cost(), await _task_cost()
    chains = {
        length: await _per_node(loader.compile(chain(length)), length, repeats)
        for length, repeats in ((100, 300), (1_000, 50), (10_000, 10), (100_000, 5))
    }
    fans = {
        width: await _per_node(loader.compile(fan(width)), width + 2, repeats)
        for width, repeats in ((100, 100), (1_000, 30), (10_000, 8), (100_000, 5))
    }
    per_call = {"baseline": "a direct call", "baseline_value": call}
    per_task = {"baseline": "an asyncio task", "baseline_value": task}
    return [
        Figure(
            name="chain of 100 pure nodes, per node", value=chains[100], unit="µs", limit=1.5, **per_call
        ),
        *(
            Figure(
                name=f"chain of {length:,}, against one of 100",
                value=cost,
                unit="µs",
                baseline="chain of 100",
                baseline_value=chains[100],
                limit=1.2,
                of_baseline=True,
            )
            for length, cost in chains.items()
            if length > 100
        ),
        Figure(
            name="fan-out and fan-in of 10,000, per node",
            value=fans[10_000],
            unit="µs",
            limit=6,
            **per_task,
        ),
        *(
            Figure(
                name=f"fan of {width:,}, against one of 100",
                value=cost,
                unit="µs",
                baseline="fan of 100",
                baseline_value=fans[100],
                limit=1.2,
                of_baseline=True,
            )
            for width, cost in fans.items()
            if width > 100
        ),
    ]
