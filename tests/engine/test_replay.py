"""What a replay takes from the journal, it takes as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import lines, pass_time, recorded, result_of, seen, story

from penstock import (
    Action,
    Context,
    Control,
    ControlContext,
    Emit,
    Inputs,
    NodeContext,
    Outputs,
    Port,
    Runtime,
    flow,
    node,
    step,
)
from penstock.testing.clock import FakeClock


class Burst(Action, kind="burst", pure=False):
    """Send as many packets as are asked for, or one list with `whole`."""

    count: int
    whole: bool = False
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(many=True)}

    async def run(self, inputs: Inputs) -> Outputs:
        found = range(self.count)
        return {"out": list(found) if self.whole else Emit(found)}


@pytest.mark.parametrize(
    ("whole", "count", "expected"),
    [
        (False, 3, [0, 1, 2]),
        (False, 1, [0]),
        (False, 0, []),
        (True, 3, [[0, 1, 2]]),
    ],
)
async def test_several_packets_are_several_on_replay_and_a_list_is_one(
    url: str, whole: bool, count: int, expected: list[Any]
) -> None:
    said: list[Any] = []
    gate = asyncio.Event()

    @node("say")
    async def say(value: Any) -> None:
        await gate.wait()
        said.append(value)

    text = f"""
    flow: f
    nodes:
      - {{kind: burst, name: b, count: {count}, whole: {whole}, links: {{out: n}}}}
      - {{kind: say, name: n}}
      - {{kind: time.delay, name: d, duration: 1h}}
    """
    clock = FakeClock()
    async with Runtime(url, clock=clock) as first:
        run = await first.start(
            graph(text.replace("True", "true").replace("False", "false"), Burst, say)
        )
        await seen(run, "node.completed", "b")
        await seen(run, "node.waiting", "d")
    gate.set()
    async with Runtime(url, clock=clock, scheme=scheme_with(Burst, say)) as second:
        await pass_time(clock, 3600)
        await result_of(second.get(run.fid))
    assert sorted(said) == expected  # packets that are ready together have no order


async def test_state_is_the_last_that_was_recorded(url: str) -> None:
    class Count(Action, kind="count"):
        """Count the packets that came, in the order in which they were done with."""

        in_ports = {"value": Port()}

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            if inputs["value"] == 0:
                await first_waits.wait()
            ctx.state["last"] = inputs["value"]
            ctx.state["count"] = ctx.state.get("count", 0) + 1
            if inputs["value"] == 1:
                first_waits.set()
            if inputs["value"] == 2:
                await gate.wait()
                return {"out": [ctx.state["count"], ctx.state["last"]]}
            return None

    first_waits, gate = asyncio.Event(), asyncio.Event()
    text = """
    flow: f
    nodes:
      - {kind: burst, name: b, count: 2, links: {out: c}}
      - {kind: count, name: c}
      - {kind: late, name: l, links: {out: c}}
    """

    @node("late")
    async def late() -> int:
        await first_waits.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        return 2

    async with Runtime(url) as first:
        run = await first.start(graph(text, Burst, Count, late))
        await seen(run, "node.completed", "c#0.0")
        await seen(run, "node.completed", "l")
        stored = [event.data["state"] for event in await recorded(first, run) if "state" in event.data]
        assert [state["last"] for state in stored] == [1, 0]
    gate.set()
    async with Runtime(url, scheme=scheme_with(Burst, Count, late)) as second:
        assert await result_of(second.get(run.fid)) == [3, 2]


async def test_state_in_the_journal_is_what_it_was_when_it_was_recorded(runtime: Runtime) -> None:
    class Grow(Action, kind="grow"):
        in_ports = {"value": Port()}

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            ctx.state.setdefault("seen", []).append(inputs["value"])
            return None

    text = "{flow: f, nodes: [{kind: burst, name: b, count: 3, links: {out: g}}, {kind: grow, name: g}]}"
    run = await runtime.start(graph(text, Burst, Grow))
    states = [event.data["state"]["seen"] for event in await story(run) if "state" in event.data]
    assert [len(seen) for seen in states] == [1, 2, 3]
    assert states[2][:2] == states[1]
    assert sorted(states[2]) == [0, 1, 2]


class Each(Control, kind="each"):
    """Call `out` for each item, one after the other."""

    in_ports = {"in": Port(list, default=[1, 2, 3])}
    out_ports = {"out": Port(call=True), "done": Port(list)}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        return {"done": [await ctx.call("out", item, key=n) for n, item in enumerate(inputs["in"])]}


async def test_children_that_ended_are_not_run_again(url: str) -> None:
    done: list[Any] = []
    gate = asyncio.Event()

    @node("work")
    async def work(value: Any = None) -> int:
        if value == 3:
            await gate.wait()
        done.append(value)
        return int(value) * 10

    text = """
    flow: f
    inputs: {in: {type: array}}
    nodes: [{kind: each, name: e, links: {out: w}}, {kind: work, name: w}]
    """
    async with Runtime(url) as first:
        run = await first.launch(graph(text, Each, work), {"in": [1, 2, 3]})
        await seen(run, "node.started", "e[2]/w")
    assert done == [1, 2]
    gate.set()
    async with Runtime(url, scheme=scheme_with(Each, work)) as second:
        again = second.get(run.fid)
        assert await result_of(again) == [10, 20, 30]
        assert lines(await story(again), "child.completed") == [
            f"child.completed e[{n}]" for n in range(3)
        ]
    assert done == [1, 2, 3]


async def test_a_python_flow_goes_on_behind_its_last_step(url: str) -> None:
    done: list[int] = []
    gate = asyncio.Event()

    @step
    async def work(number: int) -> int:
        if number == 2:
            await gate.wait()
        done.append(number)
        return number * 10

    @flow
    async def chain(ctx: Context, start: int) -> list[int]:
        return [await ctx.step(work, start + number) for number in range(3)]

    async with Runtime(url) as first:
        run = await first.start(chain, start=1)
        await seen(run, "node.started", "work#2")
    gate.set()
    async with Runtime(url, flows=[chain]) as second:
        assert await result_of(second.get(run.fid)) == [10, 20, 30]
    assert done == [1, 2, 3]
