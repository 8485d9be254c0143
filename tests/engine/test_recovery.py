"""A runtime goes on with what another one began: what is done stays done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, lines, pass_time, recorded, result_of, seen, story

from penstock import (
    Action,
    Context,
    Control,
    ControlContext,
    Emit,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Port,
    Runtime,
    flow,
    node,
    step,
)
from penstock.core.errors import NonDeterminism, PenstockError, RunBusy, RunFailed, RunNotFound
from penstock.core.states import RunState
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


class World:
    """Kinds whose effects are counted, and a gate that holds some of them up."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.keys: list[str] = []
        self.gate = asyncio.Event()

        @node("effect")
        async def effect(value: Any = None, *, held: bool = False, ctx: NodeContext) -> str:
            self.keys.append(ctx.idempotency_key)
            if held:
                await self.gate.wait()
            self.done.append(ctx.node)
            return ctx.node

        self.effect = effect


CHAIN = """
flow: chain
nodes:
  - {kind: effect, name: a, links: {out: b}}
  - {kind: effect, name: b, held: true, links: {out: c}}
  - {kind: effect, name: c}
"""


async def test_completed_nodes_do_not_run_again_and_the_one_in_flight_keeps_its_key(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    assert world.done == ["a"]
    world.gate.set()
    async with Runtime(url, scheme=scheme_with(world.effect)) as second:
        again = second.get(run.fid)
        assert await result_of(again) == "c"
        events = await story(again)
    assert world.done == ["a", "b", "c"]
    assert world.keys == [f"{run.fid}:{name}" for name in ("a", "b", "b", "c")]
    assert data_of(events, "run.resumed") == [{"reason": "recovery"}]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_closing_a_runtime_cancels_nothing(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    async with Runtime(url, recover=False) as second:
        assert (await second.get(run.fid).row()).state is RunState.RUNNING
        assert "run.cancelled" not in lines(await recorded(second, run))


async def test_without_recovery_a_run_stays_until_it_is_resumed(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    world.gate.set()
    async with Runtime(url, recover=False, scheme=scheme_with(world.effect)) as second:
        assert world.done == ["a"]
        assert await result_of(await second.resume(run.fid)) == "c"


async def test_resuming_twice_at_once_runs_once(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    world.gate.set()
    async with Runtime(url, recover=False, scheme=scheme_with(world.effect)) as second:
        await asyncio.gather(*(second.resume(run.fid) for _ in range(5)))
        assert await result_of(second.get(run.fid)) == "c"
    assert world.done == ["a", "b", "c"]


class SlowToLoad(Action, kind="slow"):
    """A kind whose loading takes its time; it only runs when it has been loaded."""

    in_ports = {"in": Port(default=None)}

    async def load(self) -> None:
        self.loaded = False
        for _ in range(20):
            await asyncio.sleep(0)
        self.loaded = True

    async def run(self, inputs: Inputs) -> Outputs:
        assert self.loaded
        return {"out": "loaded"}


SLOW = "{flow: f, nodes: [{kind: slow, name: a, links: {out: b}}, {kind: delay, name: b, duration: 1d}]}"


async def test_resuming_and_cancelling_at_once_leaves_one_end(url: str, clock: FakeClock) -> None:
    async with Runtime(url, clock=clock) as first:
        run = await first.start(graph(SLOW, SlowToLoad))
        await seen(run, "node.waiting", "b")
    async with Runtime(url, clock=clock, recover=False, scheme=scheme_with(SlowToLoad)) as second:
        async with asyncio.timeout(5):
            await asyncio.gather(
                second.resume(run.fid), second.cancel(run.fid, "stop"), second.resume(run.fid)
            )
            await second.cancel(run.fid)
        events = await recorded(second, run)
        assert [event.type for event in events if event.terminal] == ["run.cancelled"]
        assert events[-1].terminal


async def test_waking_and_cancelling_at_once_leaves_one_end(url: str, clock: FakeClock) -> None:
    async with Runtime(url, clock=clock) as first:
        run = await first.start(graph(SLOW, SlowToLoad))
        await seen(run, "run.waiting")
    async with Runtime(url, clock=clock, scheme=scheme_with(SlowToLoad)) as second:
        clock.advance(86400)
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await second.cancel(run.fid, "stop")
        await pass_time(clock, 0)
        events = await recorded(second, run)
        assert len([event for event in events if event.terminal]) == 1
        assert events[-1].terminal


async def test_a_run_of_a_live_runtime_is_busy_for_others(url: str) -> None:
    world = World()
    async with Runtime(url) as mine, Runtime(url) as other:
        run = await mine.start(graph(CHAIN, world.effect))
        with pytest.raises(RunBusy, match="another process"):
            await other.resume(run.fid)
        with pytest.raises(RunBusy, match="has not ended"):
            await other.retry(run.fid)
        world.gate.set()
        assert await result_of(run) == "c"


async def test_a_run_of_a_live_runtime_is_cancelled_through_it(url: str) -> None:
    world = World()
    async with Runtime(url) as mine, Runtime(url) as other:
        run = await mine.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
        async with asyncio.timeout(5):
            await other.cancel(run.fid, "from afar")
        assert data_of(await story(run), "run.cancelled")[0]["reason"] == "from afar"


async def test_resuming_an_ended_or_an_unknown_run(url: str) -> None:
    world = World()
    world.gate.set()
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(CHAIN, world.effect))
        assert await result_of(run) == "c"
        assert await result_of(await runtime.resume(run.fid)) == "c"
        with pytest.raises(RunNotFound):
            await runtime.resume("nobody")
    assert world.done == ["a", "b", "c"]


async def test_a_run_whose_kind_is_gone_stays_as_it_is_and_says_why(url: str) -> None:
    world = World()
    async with Runtime(url) as first:
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
    async with Runtime(url) as second:
        with pytest.raises(PenstockError, match="unknown kind `effect`"):
            await result_of(second.get(run.fid))
        row = await second.get(run.fid).row()
        assert row.state is RunState.RUNNING
        assert "unknown kind `effect`" in row.error
    world.gate.set()
    async with Runtime(url, scheme=scheme_with(world.effect)) as third:
        assert await result_of(third.get(run.fid)) == "c"
        assert (await third.get(run.fid).row()).error == ""


async def test_a_run_that_cannot_be_revived_does_not_stop_the_others(url: str) -> None:
    world = World()

    @node("gone")
    async def gone() -> None:
        await asyncio.Event().wait()

    async with Runtime(url) as first:
        lost = await first.start(graph("{flow: g, nodes: [{kind: gone, name: a}]}", gone))
        run = await first.start(graph(CHAIN, world.effect))
        await seen(run, "node.started", "b")
        await seen(lost, "node.started", "a")
    world.gate.set()
    async with Runtime(url, scheme=scheme_with(world.effect)) as second:
        assert await result_of(second.get(run.fid)) == "c"


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


async def test_a_python_flow_that_changed_under_its_run_is_refused(url: str) -> None:
    gate = asyncio.Event()

    @step
    async def one() -> int:
        return 1

    @step
    async def other() -> int:
        return 2

    @step
    async def held() -> None:
        await gate.wait()

    @flow(name="job")
    async def before(ctx: Context) -> Any:
        found = await ctx.step(one)
        await ctx.step(held)
        return found

    @flow(name="job")
    async def after(ctx: Context) -> Any:
        found = await ctx.step(other)
        await ctx.step(held)
        return found

    @flow(name="job")
    async def shorter(ctx: Context) -> Any:
        return "nothing"

    for number, changed in enumerate((after, shorter)):
        place = url.replace("runs.db", f"{number}.db")
        async with Runtime(place) as first:
            run = await first.start(before)
            await seen(run, "node.started", "held#2")
        async with Runtime(place, flows=[changed]) as second:
            with pytest.raises(NonDeterminism, match="one#1") as raised:
                await result_of(second.get(run.fid))
            assert "old code" in raised.value.remedy
            assert (await second.get(run.fid).row()).state is RunState.FAILED


async def test_a_retry_goes_on_from_what_had_completed(url: str) -> None:
    done: list[str] = []
    broken = True

    @node("work")
    async def work(value: Any = None, *, ctx: NodeContext) -> str:
        if broken and ctx.node == "b":
            raise OSError("broken")
        done.append(ctx.node)
        return ctx.node

    text = "{flow: f, nodes: [{kind: work, name: a, links: {out: b}}, {kind: work, name: b}]}"
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text, work))
        with pytest.raises(RunFailed):
            await result_of(run)
        broken = False
        again = await runtime.retry(run.fid)
        assert await result_of(again) == "b"
        assert done == ["a", "b"]
        assert (await story(again))[0].data["retry_of"] == run.fid
        anew = await runtime.retry(run.fid, from_start=True)
        assert await result_of(anew) == "b"
        assert done == ["a", "b", "a", "b"]
        assert (await run.row()).state is RunState.FAILED, "what was is not rewritten"


async def test_a_retry_may_take_another_branch_than_the_run_it_repeats(url: str) -> None:
    broken = True

    @node("work")
    async def work(value: Any = None, *, ctx: NodeContext) -> str:
        if broken and ctx.node in ("a", "z"):
            raise OSError("broken")
        return ctx.node

    text = """
    flow: f
    nodes:
      - {kind: work, name: a, links: {error: apology, out: b}}
      - {kind: work, name: apology}
      - {kind: work, name: b}
      - {kind: work, name: y, links: {out: z}}
      - {kind: work, name: z}
    """
    async with Runtime(url) as runtime:
        run = await runtime.start(graph(text, work))
        with pytest.raises(RunFailed):
            await result_of(run)
        broken = False
        assert await result_of(await runtime.retry(run.fid)) in (["b", "z"], ["apology", "z"])


async def test_a_python_flow_that_is_retried_may_take_another_branch(url: str) -> None:
    broken = True

    @step
    async def fragile() -> str:
        if broken:
            raise OSError("broken")
        return "fine"

    @step
    async def mend() -> str:
        return "mended"

    @flow
    async def careful(ctx: Context) -> str:
        try:
            found = await ctx.step(fragile)
        except NodeError:
            found = await ctx.step(mend)
            raise RuntimeError("given up") from None
        return str(found)

    async with Runtime(url) as runtime:
        run = await runtime.start(careful)
        with pytest.raises(RunFailed, match="given up"):
            await result_of(run)
        broken = False
        again = await runtime.retry(run.fid)
        assert await result_of(again) == "fine"
