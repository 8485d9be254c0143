"""What root processes see of a graph that changes around them, and what becomes of their failures."""

import asyncio
from typing import ClassVar

import pytest
from tests.resident.world import Bell, Held, World, bell, tag, until, world

from penstock.core.errors import NodeError, RunSuspended
from penstock.core.events import EventType
from penstock.core.payload import Payload
from penstock.core.states import RunState
from penstock.testing.clock import FakeClock


def held(home: World, key: str = "h") -> Held:
    node = home.resident.table.symbols[key].node
    assert isinstance(node, Held)
    return node


async def test_a_graph_of_plain_nodes_answers_without_the_loop(home: World) -> None:
    await home.apply(bell("a"), tag("a", "b"), tag("b"))
    assert home.bell().begin("out", []) == ["a", "b"]


async def test_two_leaves_answer_with_a_list_in_the_order_of_their_links(home: World) -> None:
    await home.apply(bell(["b", "a"]), tag("a"), tag("b"))
    assert await home.ring() == [["b"], ["a"]]


async def test_a_port_that_nothing_hangs_from_answers_nothing(home: World) -> None:
    await home.apply(bell("a"), tag("a"))
    assert not home.bell().linked("other")
    assert home.bell().begin("other", []) is None


async def test_a_process_finishes_on_the_graph_that_it_began_with(home: World) -> None:
    await home.apply(bell("h"), tag("h", "z", kind="held"), tag("z"))
    node = held(home)
    process = asyncio.create_task(home.ring())
    await node.reached.wait()
    home.told()
    await home.specs_only(tag("z", tag="new"))
    assert home.told() == ["load new"]
    node.free.set()
    assert await process == ["h", "z"]
    await home.caught_up()
    assert home.told() == ["unload z"]
    assert await home.ring() == ["h", "new"]


async def test_several_changes_while_a_process_is_under_way_are_cleared_away_in_their_order(
    home: World,
) -> None:
    await home.apply(bell("h"), tag("h", "z", kind="held"), tag("z", tag="z0"))
    node = held(home)
    process = asyncio.create_task(home.ring())
    await node.reached.wait()
    for number in range(1, 4):
        await home.specs_only(tag("z", tag=f"z{number}"))
    home.told()
    node.free.set()
    assert await process == ["h", "z0"]
    await home.caught_up()
    assert home.told() == ["unload z0", "unload z1", "unload z2"]


async def test_a_node_that_was_deleted_stays_loaded_for_those_that_use_it(home: World) -> None:
    await home.apply(bell("h"), tag("h", kind="held"))
    node = held(home)
    process = asyncio.create_task(home.ring())
    await node.reached.wait()
    home.told()
    await home.delete_only("h")
    assert home.told() == ["close bell", "unload bell"]
    node.free.set()
    assert await process == ["h"]
    await home.caught_up()
    assert home.told() == ["unload h"]


async def test_a_process_that_does_not_end_is_not_waited_for_beyond_the_deadline() -> None:
    async with world(drain_seconds=0.01) as home:
        await home.apply(bell("h"), tag("h", kind="held"))
        node = held(home)
        process = asyncio.create_task(home.ring())
        await node.reached.wait()
        await home.delete("h")
        assert home.told()[-1] == "unload h"
        process.cancel()
        with pytest.raises(asyncio.CancelledError):
            await process


async def test_a_failure_that_nothing_catches_is_told_to_the_trigger(home: World) -> None:
    await home.apply(bell("t"), {"kind": "throw", "name": "t", "message": "no", "code": "refused"})
    with pytest.raises(NodeError, match="no") as caught:
        home.bell().begin("out", None)
    assert caught.value.code == "refused"


async def test_what_hangs_from_the_error_port_answers_for_a_failure_anywhere(home: World) -> None:
    await home.apply(
        {"kind": "bell", "name": "bell", "links": {"out": "a", "error": "excuse"}},
        tag("a", "t"),
        {"kind": "throw", "name": "t", "message": "no"},
        {"kind": "snippet", "name": "excuse", "language": "cel", "code": "'it said: ' + self.error()"},
    )
    assert home.bell().begin("out", []) == "it said: no"


async def test_the_same_for_a_graph_that_needs_the_loop(home: World) -> None:
    await home.apply(
        {"kind": "bell", "name": "bell", "links": {"out": "n", "error": "excuse"}},
        {"kind": "note", "name": "n", "fails": "no"},
        {"kind": "snippet", "name": "excuse", "language": "cel", "code": "'it said: ' + self.error()"},
    )
    assert await home.ring() == "it said: RuntimeError: no"


async def test_a_process_that_takes_too_long_fails() -> None:
    clock = FakeClock()
    async with world(clock=clock) as home:
        await home.apply(bell("h", timeout="5s"), tag("h", kind="held"))
        node = held(home)
        process = asyncio.create_task(home.ring())
        await node.reached.wait()
        clock.advance(5.1)
        with pytest.raises(NodeError, match="took longer than 5s") as caught:
            await process
        assert caught.value.code == "timeout"


async def test_processes_under_way_can_be_seen_and_ended(home: World) -> None:
    await home.apply(bell("h"), tag("h", kind="held"))
    process = asyncio.create_task(home.ring())
    await held(home).reached.wait()
    (seen,) = home.resident.roots.processes.values()
    assert (seen.node, seen.port) == ("bell", "out")
    assert home.bell().active("out") == 1
    assert home.resident.roots.cancel(seen.id)
    with pytest.raises(asyncio.CancelledError):
        await process
    assert not home.resident.roots.processes
    assert not home.resident.roots.cancel(seen.id)


async def test_a_durable_trigger_starts_recorded_runs(home: World) -> None:
    await home.apply(bell("a", durable=True), tag("a", "b"), {"kind": "note", "name": "b"})
    assert await home.ring(["x"]) == ["x", "a"]
    (row,) = await home.runtime.runs()
    assert (row.flow, row.state) == ("default/bell", RunState.COMPLETED)
    events = await home.store.events(row.fid)
    completed = [event.node for event in events if event.type == EventType.NODE_COMPLETED]
    assert completed == ["bell", "a", "b"]


async def test_the_error_port_of_a_durable_trigger_answers_within_its_run(home: World) -> None:
    await home.apply(
        {"kind": "bell", "name": "bell", "durable": True, "links": {"out": "n", "error": "excuse"}},
        {"kind": "note", "name": "n", "fails": "no"},
        {"kind": "snippet", "name": "excuse", "language": "cel", "code": "'it said: ' + self.error()"},
    )
    assert await home.ring() == "it said: RuntimeError: no"
    (row,) = await home.runtime.runs()
    assert row.state is RunState.COMPLETED


async def test_a_recorded_run_that_fails_is_told_to_its_trigger(home: World) -> None:
    await home.apply(bell("n", durable=True), {"kind": "note", "name": "n", "fails": "no"})
    with pytest.raises(NodeError, match="no"):
        await home.ring()


async def test_one_time_is_started_once(home: World) -> None:
    await home.apply(bell("n", durable=True), {"kind": "note", "name": "n"})
    context = home.bell()
    assert await context.last("out") is None
    assert await context.start_once("out", "tick", at=1_800_000_000.0)
    assert not await context.start_once("out", "tick", at=1_800_000_000.0)
    assert await context.start_once("out", "tock", at=1_800_000_001.0)
    assert await context.last("out") == 1_800_000_001.0
    assert len(await home.runtime.runs()) == 2


async def test_one_key_is_submitted_once(home: World) -> None:
    await home.apply(bell("n", durable=True), {"kind": "note", "name": "n"})
    context = home.bell()
    assert await context.submit("out", 1, key="delivery-1")
    assert not await context.submit("out", 1, key="delivery-1")
    assert await context.submit("out", 2, key="delivery-2")
    assert await context.submit("out", 3)
    assert await context.submit("out", 3)
    assert len(await home.runtime.runs()) == 4


async def test_a_recorded_run_goes_on_with_its_revision_when_the_graph_changes(home: World) -> None:
    delay = {"kind": "delay", "name": "d", "duration": "1ms", "links": {"out": "z"}}
    await home.apply(bell("d", durable=True), delay, tag("z"))
    first = asyncio.create_task(home.ring([]))
    await until(lambda: home.runtime.resident)
    await home.apply(tag("z", tag="new"))
    assert await first == ["z"]
    assert await home.ring([]) == ["new"]


async def test_who_waits_for_a_recorded_run_can_be_let_go_while_it_goes_on(home: World) -> None:
    await home.apply(bell("d", durable=True), {"kind": "delay", "name": "d", "duration": "1h"})
    asked = asyncio.create_task(home.ring())
    await until(lambda: home.runtime.resident)
    assert home.resident.cut()
    with pytest.raises(RunSuspended, match="goes on when it is back"):
        await asked
    (row,) = await home.runtime.runs()
    assert not row.state.terminal
    assert not home.resident.cut()


async def test_a_flow_of_the_namespace_is_a_node_and_can_be_called(home: World) -> None:
    greet = {
        "flow": "greet",
        "inputs": {"name": {"type": "string"}},
        "nodes": [{"kind": "snippet", "name": "say", "language": "cel", "code": "'hi ' + self.name"}],
    }
    await home.apply(
        {"kind": "bell", "name": "bell", "links": {"out": "greet", "other": "by_call"}},
        {"kind": "call", "name": "by_call", "flow": "greet", "inputs": {"name": "Bob"}},
    )
    assert home.report("by_call").reason == "the flow `greet` is missing"
    await home.apply(greet)
    assert await home.ring({"name": "Ada"}) == "hi Ada"
    assert await home.ring(port="other") == "hi Bob"
    greet["nodes"][0]["code"] = "'hello ' + self.name"  # type: ignore[index]
    await home.apply(greet)
    assert await home.ring({"name": "Ada"}) == "hello Ada"
    assert await home.ring(port="other") == "hello Bob"
    run = await home.runtime.launch(home.resident.flow("greet"), {"name": "Eve"})
    assert await run.result() == "hello Eve"
    await home.delete("greet")
    assert home.report("by_call").reason == "the flow `greet` is missing"


async def test_the_triggers_of_a_flow_start_it(home: World) -> None:
    await home.apply(
        {
            "flow": "greet",
            "nodes": [{"kind": "snippet", "name": "say", "language": "text", "code": "hi"}],
            "triggers": [{"kind": "bell", "tag": "first"}, {"kind": "bell", "name": "second"}],
        }
    )
    assert await home.ring(bell="greet-trigger-1") == "hi"
    assert await home.ring(bell="second") == "hi"
    await home.delete("greet")
    assert not home.resident.table.symbols


class Impatient(Bell, kind="impatient"):
    """A bell that cuts off who waits for an answer when it closes, as listeners do at last."""

    asked: ClassVar[asyncio.Task[Payload]]

    async def close(self) -> None:
        self.asked.cancel()
        await asyncio.wait([self.asked])


@pytest.mark.parametrize(
    ("leaves", "state"), [("the asker", RunState.CANCELLED), ("the trigger", RunState.RUNNING)]
)
async def test_a_recorded_run_ends_with_its_asker_but_outlives_its_trigger(
    home: World, leaves: str, state: RunState
) -> None:
    home.runtime.loader.scheme.add(Impatient)
    delay = {"kind": "delay", "name": "d", "duration": "0.5s"}
    await home.apply({**bell("d", durable=True), "kind": "impatient"}, delay)
    Impatient.asked = asyncio.create_task(home.ring())
    await until(lambda: home.runtime.resident)
    if leaves == "the asker":
        Impatient.asked.cancel()
        await asyncio.wait([Impatient.asked])
    else:
        await home.delete_only("bell")
    assert Impatient.asked.cancelled()
    (row,) = await home.runtime.runs()
    assert row.state is state
