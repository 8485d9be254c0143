"""Trees answer as processes do: the shortcut may not be seen."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.policies import Record, Retry
from penstock.core.ports import Port, Ports
from penstock.engine.clock import SystemClock
from penstock.engine.firing import Failure
from penstock.engine.holder import Holder
from penstock.engine.journal import Committer, Journal
from penstock.engine.kind import NOTHING, Action, Inputs, Node, Outputs, Relay, Relayed
from penstock.engine.live import LiveRun
from penstock.engine.nesting import NestedGraph
from penstock.engine.plan import Called, compile_nested
from penstock.engine.process import Process
from penstock.engine.resident.roots import NamespaceFlow
from penstock.engine.site import Site
from penstock.engine.tree import Tree, is_tree
from penstock.store.memory import MemoryStore

if TYPE_CHECKING:
    from penstock.engine.flow import Flow


class Branch(Action, kind="test.branch", pure=True):
    """Sends what it is told to, over the ports that it is told to."""

    sends: dict[str, Any]
    nothing: bool = False
    fails: bool = False

    def run(self, inputs: Inputs) -> Outputs:
        if self.fails:
            raise NodeError("as it was told", code="told")
        return (
            None if self.nothing else {port: [inputs["in"], value] for port, value in self.sends.items()}
        )

    out_ports: ClassVar[Ports] = {"a": Port(), "b": Port(), "c": Port()}


class Way(Relay, kind="test.way", pure=True, normalised=True):
    """Passes a payload on by one port, or by none."""

    port: str
    fails: bool = False

    def relay(self, payload: Payload) -> Relayed:
        if self.fails:
            raise NodeError("as it was told", code="told")
        return (self.port, [payload, self.port]) if self.port else NOTHING

    out_ports: ClassVar[Ports] = Branch.out_ports


branches = st.builds(
    Branch,
    sends=st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3),
    nothing=st.booleans(),
    fails=st.integers(0, 5).map(lambda chance: chance == 0),
)
ways = st.builds(
    Way,
    port=st.sampled_from(["a", "b", "c", ""]),
    fails=st.integers(0, 5).map(lambda chance: chance == 0),
)


class Inside(Holder, kind="test.inside"):
    """Holds a tree, as a block does."""


class Apart(Holder, kind="test.apart"):
    """Holds a tree, as a step does."""

    apart: ClassVar[bool] = True


Linked = list[tuple[Node, list[tuple[str, int]]]]
"""Nodes, each with its links to later ones; every node but the first has one link to it."""


def sites_of(tree: Linked, *, copies: int = 1) -> dict[str, Site]:
    return {
        f"{copy}.{number}": Site(
            f"{copy}.{number}",
            node,
            links=tuple((port, f"{copy}.{child}", "in") for port, child in links),
        )
        for copy in range(copies)
        for number, (node, links) in enumerate(tree)
    }


@st.composite
def holders(draw: st.DrawFn) -> Node:
    tree = draw(trees(deeper=False))
    inlets = {"in": [("0.0", "in")]}
    holder: Holder = draw(st.sampled_from([Inside, Apart]))(specs=[])
    plan = compile_nested(sites_of(tree), inlets, {})
    holder.graph = NestedGraph(plan, [node for node, _ in tree], inlets, {})
    return holder


@st.composite
def trees(draw: st.DrawFn, *, deeper: bool) -> Linked:
    size = draw(st.integers(1, 8 if deeper else 3))
    links: list[list[tuple[str, int]]] = [[] for _ in range(size)]
    for child in range(1, size):
        parent = draw(st.integers(0, child - 1))
        links[parent].append((draw(st.sampled_from(["a", "b", "out", "error"])), child))
    kinds = branches | ways | holders() if deeper else branches | ways
    nodes: list[Node] = [draw(kinds) for _ in range(size)]
    return list(zip(nodes, links, strict=True))


def silent_run() -> LiveRun:
    """A run that nobody records; plain nodes ask nothing else of it."""
    store = MemoryStore()
    clock = SystemClock()
    committer = Committer(store, published=lambda _: None, broken=lambda *_: None, clock=clock)
    journal = Journal("tree", committer, clock, record=Record.NONE)
    return LiveRun("tree", cast("Flow", NamespaceFlow("tests")), journal, clock=clock)


async def outcome(answering: Callable[[Payload], Any]) -> tuple[str, Payload]:
    try:
        answer = answering("x")
        return "answers", await answer if inspect.isawaitable(answer) else answer
    except Failure as failure:
        return "fails", failure.error.to_mapping()


@given(trees(deeper=True), st.integers(1, 2))
def test_a_tree_answers_as_a_process_of_the_same_plan_does(tree: Linked, feeds: int) -> None:
    plan = Called(sites_of(tree, copies=feeds)).plan([(f"{copy}.0", "in") for copy in range(feeds)])
    assert is_tree(plan)

    async def both() -> tuple[tuple[str, Payload], tuple[str, Payload]]:
        process = Process(plan, silent_run())
        return await outcome(Tree(plan.feeds).answer), await outcome(process.answer)

    shortcut, proper = asyncio.run(both())
    assert shortcut == proper


def test_a_node_with_a_policy_keeps_its_holder_out_of_trees() -> None:
    way = Way(port="a")
    inlets = {"in": [("n", "in")]}
    for site, expected in (
        (Site("n", way), True),
        (Site("n", way, retry=Retry(attempts=2)), False),
        (Site("n", way, timeout=Duration(seconds=1)), False),
    ):
        holder = Inside(specs=[])
        holder.graph = NestedGraph(compile_nested({"n": site}, inlets, {}), [way], inlets, {})
        assert is_tree(Called({"h": Site("h", holder)}).plan([("h", "in")])) is expected
