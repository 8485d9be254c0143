"""How packets move: firing, settling, joins, skips, and what a process answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.packets import answer, either, give
from tests.engine.watching import data_of, result_of, story, until

from penstock import Action, Emit, Inputs, Outputs, Port, Runtime, node


async def test_a_chain_answers_what_its_last_node_sent(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: b}
        kind: give, name: b, links: {out: c}
        kind: give, name: c
    """
    assert await answer(runtime, nodes) == 1


async def test_a_process_without_leaves_answers_nothing(runtime: Runtime) -> None:
    @node("silent", pure=True, outputs={"out": Any})
    def silent() -> None:
        return None

    run = await runtime.start(graph("{flow: f, nodes: [{kind: silent, name: a}]}", silent))
    assert await result_of(run) is None


async def test_several_leaves_answer_in_the_order_in_which_links_are_written(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: x, links: {out: [z, y, b]}
        kind: give, name: b, what: 1
        kind: give, name: y, what: 2
        kind: give, name: z, what: 3
    """
    assert await answer(runtime, nodes) == [3, 2, 1]


async def test_a_leaf_that_sent_on_several_ports_answers_a_mapping(runtime: Runtime) -> None:
    @node("both", pure=True, outputs={"left": int, "right": int})
    def both() -> dict[str, int]:
        return {"left": 1, "right": 2}

    run = await runtime.start(graph("{flow: f, nodes: [{kind: both, name: a}]}", both))
    assert await result_of(run) == {"left": 1, "right": 2}


async def test_a_firing_is_no_leaf_when_one_of_its_packets_travelled(runtime: Runtime) -> None:
    @node("both", pure=True, outputs={"left": int, "right": int})
    def both() -> dict[str, int]:
        return {"left": 1, "right": 2}

    text = "{flow: f, nodes: [{kind: both, name: a, links: {left: b}}, {kind: give, name: b}]}"
    assert await result_of(await runtime.start(graph(text, both, give))) == 1


async def test_a_flow_may_name_its_result(runtime: Runtime) -> None:
    text = """
    flow: f
    outputs: {first: a.out, second: b, never: c.out}
    nodes:
      - {kind: give, name: a, what: 1, links: {out: b}}
      - {kind: give, name: b}
      - {kind: either, name: e, take: yes, links: {"no": c}}
      - {kind: give, name: c}
    """
    text = text.replace("take: yes", "take: 'yes'")
    run = await runtime.start(graph(text, give, either))
    assert await result_of(run) == {"first": 1, "second": 1, "never": None}


async def test_a_node_with_one_linked_port_fires_for_each_packet(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: c}
        kind: give, name: b, what: 2, links: {out: c}
        kind: give, name: c
    """
    assert await answer(runtime, nodes) == [1, 2]


async def test_each_packet_goes_its_own_way(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [1, 2, 3], links: {out: b}
        kind: give, name: b, links: {out: c}
        kind: give, name: c
    """
    assert await answer(runtime, nodes) == [1, 2, 3]


async def test_an_unlinked_port_takes_the_config_and_then_the_default(runtime: Runtime) -> None:
    class Greet(Action, kind="greet", pure=True):
        name_: str = ""
        greeting: str = "hello"
        in_ports = {"greeting": Port(str, default="good day"), "who": Port(str, default="world")}

        def run(self, inputs: Inputs) -> Outputs:
            return {"out": f"{inputs['greeting']} {inputs['who']}"}

    text = "{flow: f, nodes: [{kind: greet, name: a%s}]}"
    assert await result_of(await runtime.start(graph(text % "", Greet))) == "good day world"
    configured = graph(text % ", greeting: hi", Greet)
    assert await result_of(await runtime.start(configured)) == "hi world"


async def test_entries_take_the_inputs_by_name_and_in_takes_them_all(runtime: Runtime) -> None:
    class All(Action, kind="all", pure=True):
        in_ports = {"in": Port(default=None), "name": Port(default="?")}

        def run(self, inputs: Inputs) -> Outputs:
            return {"out": [inputs["in"], inputs["name"]]}

    text = "{flow: f, inputs: {name: {type: string}}, nodes: [{kind: all, name: a}]}"
    run = await runtime.start(graph(text, All), name="Ada")
    assert await result_of(run) == [{"name": "Ada"}, "Ada"]


@pytest.mark.parametrize(
    ("record", "length"), [("full", 5_000), pytest.param("none", 100_000, marks=pytest.mark.slow)]
)
async def test_a_chain_of_any_length_runs(runtime: Runtime, record: str, length: int) -> None:
    from tests.engine.flows import scheme_with

    from penstock.core.policies import Record
    from penstock.core.spec import FlowSpec, Link, NodeSpec, Settings
    from penstock.engine.loading import Loader

    nodes = [
        NodeSpec(kind="give", name=f"n{n}", links=(Link(port="out", node=f"n{n + 1}", to="value"),))
        for n in range(length - 1)
    ]
    nodes.append(NodeSpec(kind="give", name=f"n{length - 1}"))
    spec = FlowSpec(
        name="f", inputs={"value": {}}, settings=Settings(record=Record(record)), nodes=tuple(nodes)
    )
    flow = Loader(scheme_with(give)).compile(spec)
    run = await runtime.start(flow, value="through")
    async with asyncio.timeout(30):
        assert await run.result() == "through"


async def test_a_fan_out_of_10_000_async_nodes_runs(runtime: Runtime) -> None:
    begun = 0
    all_begun = asyncio.Event()

    @node("twice")
    async def twice(value: int) -> int:
        nonlocal begun
        begun += 1
        if begun == 10_000:
            all_begun.set()
        await all_begun.wait()
        return value * 2

    text = """
    flow: f
    inputs: {n: {}}
    nodes:
      - {kind: range, name: a, links: {out: b}}
      - {kind: twice, name: b}
    """

    class Range(Action, kind="range", pure=True):
        in_ports = {"n": Port(int)}
        out_ports = {"out": Port(many=True)}

        def run(self, inputs: Inputs) -> Outputs:
            return {"out": Emit(range(inputs["n"]))}

    run = await runtime.start(graph(text, Range, twice), n=10_000)
    async with asyncio.timeout(30):
        assert await run.result() == [2 * n for n in range(10_000)]
    events = await story(run)
    assert len(data_of(events, "node.completed", "b#0")) == 1
    await until(lambda: not runtime._executions)
