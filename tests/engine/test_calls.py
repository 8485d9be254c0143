"""Calls: what a control node runs and what it gets back."""

from __future__ import annotations

import pytest
from tests.engine.flows import graph
from tests.engine.packets import Within, answer, give

from penstock import Control, ControlContext, Inputs, Outputs, Port, Runtime
from penstock.core.errors import DocumentError


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


async def test_a_call_of_nothing_answers_nothing(runtime: Runtime) -> None:
    assert await answer(runtime, "kind: within, name: w") is None


def test_a_control_node_that_must_call_is_refused_when_nothing_is_linked() -> None:
    class Must(Within, kind="must"):
        requires_call = True

    with pytest.raises(DocumentError, match=r"`w` has nothing to call(.|\n)*link its port `out`"):
        graph("{flow: f, nodes: [{kind: must, name: w}]}", Must)
    flow = graph(
        "{flow: f, nodes: [{kind: must, name: w, links: {out: g}}, {kind: give, name: g}]}", Must, give
    )
    assert len(flow.plan.vertices) == 1


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
