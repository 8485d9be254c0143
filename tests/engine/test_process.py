"""How packets move: firing, settling, joins, skips, and what a process answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import data_of, lines, result_of, story, until

from penstock import Action, Control, ControlContext, Emit, Inputs, Outputs, Port, Runtime, node
from penstock.core.errors import DocumentError
from penstock.core.policies import Join


@node("give", pure=True)
def give(value: Any = None, *, what: Any = None) -> Any:
    """Send what the config says, else what came."""
    return value if what is None else what


@node("pair", pure=True)
def pair(left: Any, right: Any) -> Any:
    return [left, right]


@node("either", pure=True, outputs={"yes": Any, "no": Any})
def either(value: Any = None, *, take: str) -> dict[str, Any]:
    return {take: take}


class Gather(Action, kind="gather", pure=True):
    """A list of what came, in port order."""

    default_join = Join.ANY
    in_ports = {"in[]": Port()}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": list(inputs.values())}


class Burst(Action, kind="burst", pure=True):
    """Send each item as a packet of its own."""

    items: list[Any]
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(many=True)}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": Emit(self.items)}


class Within(Control, kind="within"):
    """Call `out` with what came and send the answer over `done`."""

    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True), "done": Port()}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        return {"done": await ctx.call("out", inputs["in"])}


KINDS = (give, pair, either, Gather, Burst, Within)


async def answer(runtime: Runtime, nodes: str, *, settings: str = "{}", **inputs: Any) -> Any:
    listed = "\n".join(f"  - {{{line.strip()}}}" for line in nodes.strip().splitlines())
    text = f"flow: f\nsettings: {settings}\nnodes:\n{listed}\n"
    return await result_of(await runtime.start(graph(text, *KINDS), **inputs))


@pytest.fixture(params=["full", "effects"])
def settings(request: pytest.FixtureRequest) -> str:
    return f"{{record: {request.param}}}"


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


async def test_a_node_with_several_linked_ports_waits_for_each(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: p.left}
        kind: give, name: b, what: 2, links: {out: p.right}
        kind: pair, name: p
    """
    assert await answer(runtime, nodes) == [1, 2]


async def test_each_packet_goes_its_own_way(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [1, 2, 3], links: {out: b}
        kind: give, name: b, links: {out: c}
        kind: give, name: c
    """
    assert await answer(runtime, nodes) == [1, 2, 3]


async def test_no_packet_closes_what_is_behind(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [], links: {out: b}
        kind: give, name: b, links: {out: c}
        kind: give, name: c
    """
    assert await answer(runtime, nodes) is None


async def test_packets_of_two_ports_are_paired_in_the_order_of_their_branches(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [1, 2, 3], links: {out: p.left}
        kind: burst, name: b, items: [x, y], links: {out: p.right}
        kind: pair, name: p
    """
    assert await answer(runtime, nodes) == [[1, "x"], [2, "y"]]


async def test_packets_of_a_join_that_takes_any_are_paired_as_far_as_they_go(runtime: Runtime) -> None:
    nodes = """
        kind: burst, name: a, items: [1, 2, 3], links: {out: "g.in[0]"}
        kind: burst, name: b, items: [x], links: {out: "g.in[1]"}
        kind: gather, name: g
    """
    assert await answer(runtime, nodes) == [[1, "x"], [2], [3]]


async def test_pairing_does_not_depend_on_who_is_faster(runtime: Runtime) -> None:
    @node("wait")
    async def wait(value: int) -> int:
        for _ in range(10 - value):
            await asyncio.sleep(0)
        return value

    text = """
    flow: f
    nodes:
      - {kind: burst, name: a, items: [1, 5, 9], links: {out: w}}
      - {kind: wait, name: w, links: {out: p.left}}
      - {kind: burst, name: b, items: [x, y, z], links: {out: p.right}}
      - {kind: pair, name: p}
    """
    run = await runtime.start(graph(text, Burst, wait, pair))
    assert await result_of(run) == [[1, "x"], [5, "y"], [9, "z"]]


async def test_a_dead_branch_does_not_hang_a_merge(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": a, "no": b}
        kind: give, name: a, links: {out: "g.in[0]"}
        kind: give, name: b, links: {out: "g.in[1]"}
        kind: gather, name: g
    """
    assert await answer(runtime, nodes) == ["yes"]


async def test_a_join_of_all_is_skipped_when_one_link_closes(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": p.left, "no": p.right}
        kind: pair, name: p, links: {out: z}
        kind: give, name: z
    """
    assert await answer(runtime, nodes) is None


async def test_a_spec_may_choose_the_join(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": "g.in[0]", "no": "g.in[1]"}
        kind: gather, name: g, join: all
    """
    assert await answer(runtime, nodes) is None


async def test_a_merge_of_only_dead_branches_is_skipped(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"no": [a, b]}
        kind: give, name: a, links: {out: "g.in[0]"}
        kind: give, name: b, links: {out: "g.in[1]"}
        kind: gather, name: g, links: {out: z}
        kind: give, name: z
    """
    assert await answer(runtime, nodes) == "yes"


async def test_skipping_goes_all_the_way_and_is_told(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: either, name: e, take: 'yes', links: {"no": a}}
      - {kind: give, name: a, links: {out: [b, c]}}
      - {kind: give, name: b}
      - {kind: give, name: c, links: {out: p.left}}
      - {kind: give, name: d, what: 1, links: {out: p.right}}
      - {kind: pair, name: p}
    """
    run = await runtime.start(graph(text, *KINDS))
    await result_of(run)
    skipped = lines(await story(run), "node.skipped")
    assert sorted(skipped) == [f"node.skipped {name}" for name in "abcp"]


async def test_a_node_fed_by_a_dead_and_a_live_link_fires_for_the_live_one(runtime: Runtime) -> None:
    nodes = """
        kind: either, name: e, take: 'yes', links: {"yes": a, "no": a}
        kind: give, name: a
    """
    assert await answer(runtime, nodes) == "yes"


async def test_a_diamond_fires_its_end_once_per_packet(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: [b, c]}
        kind: give, name: b, links: {out: d}
        kind: give, name: c, links: {out: d}
        kind: give, name: d, links: {out: e}
        kind: give, name: e
    """
    assert await answer(runtime, nodes) == [1, 1]


async def test_two_links_between_the_same_ports_carry_two_packets(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 1, links: {out: [b, b]}
        kind: give, name: b
    """
    assert await answer(runtime, nodes) == [1, 1]


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


async def test_a_call_answers_with_what_hangs_from_the_port(runtime: Runtime) -> None:
    nodes = """
        kind: give, name: a, what: 5, links: {out: w}
        kind: within, name: w, links: {out: [x, y], done: z}
        kind: give, name: x
        kind: give, name: y, what: 6
        kind: give, name: z
    """
    assert await answer(runtime, nodes) == [5, 6]


async def test_a_called_plan_may_join_inside_of_itself(runtime: Runtime) -> None:
    nodes = """
        kind: within, name: w, links: {out: [x, y]}
        kind: give, name: x, what: 1, links: {out: p.left}
        kind: give, name: y, what: 2, links: {out: p.right}
        kind: pair, name: p
    """
    assert await answer(runtime, nodes) == [1, 2]


async def test_a_control_node_that_has_nothing_to_call_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"`w` has nothing to call(.|\n)*link its port `out`"):
        graph("{flow: f, nodes: [{kind: within, name: w}]}", *KINDS)


async def test_calls_nest(runtime: Runtime) -> None:
    depth = 30
    nodes = [f"kind: within, name: w{n}, links: {{out: w{n + 1}}}" for n in range(depth)]
    nodes.append(f"kind: give, name: w{depth}, what: deep")
    assert await answer(runtime, "\n".join(nodes)) == "deep"


def test_a_port_that_is_called_from_many_places_is_compiled_once() -> None:
    class Two(Control, kind="two"):
        in_ports = {"in": Port(default=None)}
        out_ports = {"out[]": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            return None

    levels = 40
    nodes = [
        f'  - {{kind: two, name: t{n}, links: {{"out[0]": t{n + 1}, "out[1]": t{n + 1}}}}}'
        for n in range(levels)
    ]
    text = "flow: f\nnodes:\n" + "\n".join(nodes) + f"\n  - {{kind: give, name: t{levels}}}"
    # A plan for each way to the end would be 2⁴⁰ of them.
    assert len(graph(text, Two, give).plan.vertices) == 1


async def test_an_empty_emit_on_an_unlinked_port_answers_nothing(runtime: Runtime) -> None:
    assert await answer(runtime, "kind: burst, name: a, items: []") in (None, [])


async def test_several_packets_on_a_plain_port_are_a_mistake_that_is_told(runtime: Runtime) -> None:
    class Wrong(Action, kind="wrong", pure=True):
        in_ports = {}

        def run(self, inputs: Inputs) -> Outputs:
            return {"out": Emit([1, 2])}

    run = await runtime.start(graph("{flow: f, nodes: [{kind: wrong, name: a}]}", Wrong))
    with pytest.raises(Exception, match="several packets on `out`"):
        await result_of(run)


@pytest.mark.parametrize("returned", [1, "text", [1], ("a", "b")])
async def test_what_is_no_mapping_of_ports_is_a_mistake_that_is_told(
    runtime: Runtime, returned: Any
) -> None:
    class Wrong(Action, kind="wrong"):
        in_ports = {}

        async def run(self, inputs: Inputs) -> Any:
            return returned

    run = await runtime.start(graph("{flow: f, nodes: [{kind: wrong, name: a}]}", Wrong))
    with pytest.raises(Exception, match="not a mapping of ports"):
        await result_of(run)


async def test_a_port_that_was_not_declared_is_a_mistake_that_is_told(runtime: Runtime) -> None:
    class Wrong(Action, kind="wrong"):
        in_ports = {}

        async def run(self, inputs: Inputs) -> Outputs:
            return {"outt": 1}

    run = await runtime.start(graph("{flow: f, nodes: [{kind: wrong, name: a}]}", Wrong))
    with pytest.raises(Exception, match="outt"):
        await result_of(run)


async def test_any_mapping_may_be_returned(runtime: Runtime) -> None:
    from types import MappingProxyType

    class Proxy(Action, kind="proxy"):
        in_ports = {}

        async def run(self, inputs: Inputs) -> Outputs:
            return MappingProxyType({"out": 1})

    run = await runtime.start(graph("{flow: f, nodes: [{kind: proxy, name: a}]}", Proxy))
    assert await result_of(run) == 1


async def test_the_engine_changes_no_payload(runtime: Runtime) -> None:
    original = {"rows": [1, 2, {"deep": (3, 4)}]}

    @node("own")
    async def own() -> Any:
        return original

    @node("spoil")
    async def spoil(value: Any) -> int:
        value["rows"].append("spoilt")
        return 1

    text = "{flow: f, nodes: [{kind: own, name: a, links: {out: b}}, {kind: spoil, name: b}]}"
    run = await runtime.start(graph(text, own, spoil))
    await result_of(run)
    assert original == {"rows": [1, 2, {"deep": (3, 4)}]}


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
