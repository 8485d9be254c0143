"""The engine's side of debugging: where processes stop, what waits meanwhile, and how they go on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import seen
from tests.engine.world import CHAIN as CHAIN_OF_EFFECTS
from tests.engine.world import World as Effects
from tests.properties.execution import check_verdict, passing_time, whole_stream
from tests.properties.graphs import flows
from tests.properties.kinds import World as Kinds
from tests.properties.kinds import scheme_of
from tests.properties.test_graphs import INPUTS, QUICK, verdict_of
from tests.resident.world import World, bell, tag, world

from penstock.core.policies import Record
from penstock.engine.inspection.breakpoint import Breakpoint
from penstock.engine.inspection.debugger import Debugger, Pace, Stop
from penstock.engine.loading import Loader
from penstock.engine.runtime import Runtime
from penstock.store import open_store
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from penstock.core.payload import Payload
    from penstock.core.spec import FlowSpec


class Desk:
    """A namespace with a debugger, and the stops as they come."""

    def __init__(self) -> None:
        self.stops: asyncio.Queue[Stop] = asyncio.Queue()
        self.released: list[int] = []
        self.debugger = Debugger(
            stopped=self.stops.put_nowait, released=lambda stop: self.released.append(stop.number)
        )
        self.world: World

    def stop_at(self, node: str, port: str = "", **options: Any) -> Breakpoint:
        point = Breakpoint(node, port, **options)
        self.debugger.add(point)
        return point

    def ring(self, payload: Payload = None, *, bell: str = "bell") -> asyncio.Task[Payload]:
        return self.world.runtime.own(self.world.ring(payload, bell=bell), "test:ring")

    async def stopped(self) -> Stop:
        async with asyncio.timeout(10):
            return await self.stops.get()

    async def walk(self, answer: asyncio.Task[Payload], pace: Pace) -> list[str]:
        """Every place on the way of a stopped process to its end."""
        places = []
        while True:
            coming = asyncio.ensure_future(self.stops.get())
            await asyncio.wait([coming, answer], return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return places
            places.append(str(coming.result().spot))
            coming.result().resume(pace)


@asynccontextmanager
async def desk(*documents: dict[str, Any]) -> AsyncIterator[Desk]:
    found = Desk()
    async with world(inspector=found.debugger) as found.world:
        await found.world.apply(*documents)
        try:
            yield found
        finally:
            found.debugger.detach()


async def turns() -> None:
    """Let everything happen that can happen without waiting for time."""
    for _ in range(50):
        await asyncio.sleep(0)


CHAIN = (bell("a"), tag("a", "b"), tag("b"))


async def test_a_process_stops_before_the_node_fires_and_goes_on_from_there() -> None:
    async with desk(*CHAIN) as here:
        point = here.stop_at("b")
        answer = here.ring([])
        stop = await here.stopped()
        assert (str(stop.spot), stop.spot.payload, stop.why) == ("b.in", ["a"], point)
        await turns()
        assert not answer.done()
        stop.resume()
        assert await answer == ["a", "b"]
        assert point.hits == 1
        assert here.debugger.stops == {}


async def test_without_a_breakpoint_nothing_stops() -> None:
    async with desk(*CHAIN) as here:
        assert await here.ring([]) == ["a", "b"]
        assert here.stops.empty()


async def test_an_out_port_stops_behind_the_node() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("a", "out")
        answer = here.ring([])
        stop = await here.stopped()
        assert (str(stop.spot), stop.spot.payload) == ("a.out", ["a"])
        stop.resume()
        assert await answer == ["a", "b"]


async def test_a_trigger_stops_where_it_starts_processes() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("bell")
        answer = here.ring(["x"])
        stop = await here.stopped()
        assert (str(stop.spot), stop.spot.payload) == ("bell.out", ["x"])
        stop.resume()
        assert await answer == ["x", "a", "b"]


async def test_an_error_port_stops_with_the_error() -> None:
    fails = {"kind": "note", "name": "n", "fails": "no luck", "links": {"error": "a"}}
    async with desk(bell("n"), fails, tag("a")) as here:
        here.stop_at("n", "error")
        answer = here.ring([])
        stop = await here.stopped()
        assert stop.spot.payload.message == "RuntimeError: no luck"
        stop.packets["error"] = ["calm"]
        stop.resume()
        assert await answer == ["calm", "a"]


async def test_a_condition_decides_by_the_packet() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("a", "in", condition=lambda payload: payload == ["stop"])
        assert await here.ring(["go"]) == ["go", "a", "b"]
        answer = here.ring(["stop"])
        (await here.stopped()).resume()
        assert await answer == ["stop", "a", "b"]


async def test_a_condition_that_fails_stops_and_says_why() -> None:
    def broken(_: Payload) -> bool:
        raise ValueError("no such key")

    async with desk(*CHAIN) as here:
        here.stop_at("a", condition=broken)
        answer = here.ring([])
        stop = await here.stopped()
        assert stop.trouble == "no such key"
        stop.resume()
        await answer


async def test_stepping_visits_every_port_in_order() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("bell")
        answer = here.ring([])
        places = await here.walk(answer, Pace.STEP)
        assert places == ["bell.out", "a.in", "a.out", "b.in", "b.out"]
        assert await answer == ["a", "b"]


LOOP = (
    bell("each"),
    {"kind": "loop", "name": "each", "links": {"out": "a", "done": "b"}},
    tag("a"),
    tag("b"),
)


async def test_stepping_goes_into_what_a_node_calls_and_next_does_not() -> None:
    async with desk(*LOOP) as here:
        here.stop_at("each")
        answer = here.ring([[], []])
        into = await here.walk(answer, Pace.STEP)
        inside = ["each.out", "each/a.in", "each/a.out"]
        assert into == ["each.in", *inside, *inside, "each.done", "b.in", "b.out"]
        answer = here.ring([[], []])
        over = await here.walk(answer, Pace.OVER)
        assert over == ["each.in", "each.done", "b.in", "b.out"]


async def test_a_node_inside_is_found_by_its_name_and_by_its_path() -> None:
    async with desk(*LOOP) as here:
        for name in ("a", "each/a"):
            point = here.stop_at(name)
            answer = here.ring([[]])
            stop = await here.stopped()
            assert (stop.spot.node, stop.spot.firing) == ("each/a", "each[0]/a")
            here.debugger.remove(point.number)
            stop.resume()
            await answer


async def test_while_a_process_is_stopped_the_others_go_on() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("a", condition=lambda payload: payload == ["held"])
        held = here.ring(["held"])
        stop = await here.stopped()
        assert await here.ring(["free"]) == ["free", "a", "b"]
        assert not held.done()
        stop.resume()
        assert await held == ["held", "a", "b"]


async def test_while_a_process_is_stopped_the_others_wait_if_that_is_wanted() -> None:
    async with desk(*CHAIN) as here:
        here.debugger.hold_all = True
        here.stop_at("a", condition=lambda payload: payload == ["held"])
        held = here.ring(["held"])
        stop = await here.stopped()
        other = here.ring(["other"])
        await turns()
        assert not other.done()
        stop.resume()
        assert await other == ["other", "a", "b"]
        assert await held == ["held", "a", "b"]


async def test_the_other_branches_of_a_stopped_process_wait_with_it() -> None:
    async with desk(bell(["a", "b"]), tag("a"), tag("b", "c"), tag("c")) as here:
        here.stop_at("a")
        answer = here.ring([])
        stop = await here.stopped()
        await turns()
        run = stop.run
        assert not any(passage.source == "b" for passage in here.debugger.trace(run).latest)
        stop.resume()
        assert await answer == [["a"], ["b", "c"]]


async def test_a_process_that_is_ended_while_it_is_stopped_leaves_nothing_behind() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("b")
        answer = here.ring([])
        stop = await here.stopped()
        assert here.world.resident.roots.cancel(stop.spot.fid)
        with pytest.raises(asyncio.CancelledError):
            await answer
        assert here.debugger.stops == {}
        assert here.released == [stop.number]
        again = here.ring([])
        (await here.stopped()).resume()
        assert await again == ["a", "b"]


async def test_a_detached_debugger_lets_everything_go_on() -> None:
    async with desk(*CHAIN) as here:
        here.debugger.hold_all = True
        here.stop_at("b")
        one = here.ring([])
        await here.stopped()
        two = here.ring([])
        await turns()
        here.debugger.detach()
        assert await one == await two == ["a", "b"]
        assert await here.ring([]) == ["a", "b"]


async def test_another_packet_may_take_the_place_of_the_one_that_stopped() -> None:
    async with desk(*CHAIN) as here:
        here.stop_at("bell")
        here.stop_at("a", "out")
        answer = here.ring(["x"])
        first = await here.stopped()
        first.packets["out"] = ["y"]
        first.resume()
        second = await here.stopped()
        assert second.spot.payload == ["y", "a"]
        second.packets["out"] = ["z"]
        second.resume()
        assert await answer == ["z", "b"]


async def test_the_history_of_a_packet_leads_back_to_the_trigger_on_every_branch() -> None:
    merge = {"kind": "merge", "name": "m"}
    graph = (bell(["a", "b"]), tag("a", "m.in[0]"), tag("b", "m.in[1]"), merge, tag("other"))
    async with desk(*graph) as here:
        here.stop_at("m")
        answer = here.ring([])
        stop = await here.stopped()
        history = here.debugger.trace(stop.run).history(stop.spot.firing)
        assert [str(passage) for passage in history] == [
            "bell.out → a.in",
            "bell.out → b.in",
            "a.out → m.in[0]",
            "b.out → m.in[1]",
        ]
        assert [passage.payload for passage in history][2:] == [["a"], ["b"]]
        stop.resume()
        await answer


async def test_the_history_of_a_packet_leads_out_of_the_loop_around_it() -> None:
    async with desk(*LOOP) as here:
        here.stop_at("a", condition=lambda payload: payload == [2])
        answer = here.ring([[1], [2]])
        stop = await here.stopped()
        history = here.debugger.trace(stop.run).history(stop.spot.firing)
        assert [(str(passage), passage.payload) for passage in history] == [
            ("bell.out → each.in", [[1], [2]]),
            ("each.out → each[1]/a.in", [2]),
        ]
        stop.resume()
        await answer


async def test_a_recorded_run_does_not_stop_at_what_it_did_before_a_restart(tmp_path: Path) -> None:
    url, effects = f"sqlite:///{tmp_path}/runs.db", Effects()
    loader = Loader(scheme_with(effects.effect))
    async with Runtime(open_store(url), loader=loader) as first:
        run = await first.start(graph(CHAIN_OF_EFFECTS, effects.effect))
        await seen(run, "node.started", "b")
    effects.gate.set()
    places: list[str] = []

    def note(stop: Stop) -> None:
        places.append(str(stop.spot))
        stop.resume()

    debugger = Debugger(stopped=note)
    debugger.add(Breakpoint("*", "*"))
    async with Runtime(open_store(url), loader=loader, inspector=debugger) as second:
        assert await second.get(run.fid).result() == "c"
    assert places == ["b.value", "b.out", "c.value", "c.out"]


async def test_with_an_inspector_no_graph_answers_at_once() -> None:
    async with desk(*CHAIN) as here:
        answer = here.world.bell().begin("out", [])
        assert asyncio.iscoroutine(answer)
        assert await answer == ["a", "b"]
    async with world() as plain:
        await plain.apply(*CHAIN)
        assert plain.bell().begin("out", []) == ["a", "b"]


# --- the rules hold while somebody looks -----------------------------------------------


async def _check_stepped(spec: FlowSpec) -> None:
    verdict = verdict_of(spec)
    clock = FakeClock()
    debugger = Debugger(stopped=lambda stop: stop.resume(Pace.STEP))
    debugger.add(Breakpoint("*", "*"))
    loader = Loader(scheme_of(Kinds()))
    async with (
        passing_time(clock),
        Runtime(MemoryStore(), loader=loader, clock=clock, inspector=debugger) as runtime,
    ):
        events = await whole_stream(await runtime.launch(loader.compile(spec), INPUTS))
    check_verdict(events, verdict, skips=spec.settings.record is Record.FULL)


@given(flows())
@QUICK
def test_graphs_that_are_stepped_fire_as_the_rules_say(spec: FlowSpec) -> None:
    asyncio.run(_check_stepped(spec))
