"""Random graphs: a strategy for flows of nodes whose kinds are in `kinds.py`.

A node belongs to the root or to the body of a control node before it, and links lead
from earlier to later nodes of one region; so every drawn graph is a legal document.
"""

from typing import Any

from hypothesis import strategies as st
from tests.properties.behaviour import BODY_PORT, ERROR_PORT, IN_PORTS, MANY_PORT, PLAIN_PORTS

from penstock.core.duration import Duration
from penstock.core.policies import Join, OnError, Record, Retry, Strategy
from penstock.core.spec import FlowSpec, Link, NodeSpec, Settings

ROOT = -1

_SEEDS = st.integers(0, 999)
_FAILS = st.sampled_from([0, 0, 0, 0, 30, 100])
_FLAKY = st.sampled_from([0, 0, 0, 1, 2])


@st.composite
def flows(
    draw: st.DrawFn, *, most_nodes: int = 8, records: tuple[Record, ...] = (Record.FULL, Record.EFFECTS)
) -> FlowSpec:
    """A flow of up to so many nodes."""
    count = draw(st.integers(1, most_nodes))
    nodes: list[dict[str, Any]] = []
    regions: list[int] = []
    links: list[list[Link]] = [[] for _ in range(count)]
    for number in range(count):
        callers = [earlier for earlier, node in enumerate(nodes) if node["kind"] == "t.caller"]
        region = draw(st.sampled_from([ROOT, *callers, *callers]))
        neighbours = [earlier for earlier in range(number) if regions[earlier] == region]
        found = draw(_links(neighbours, nodes)) if neighbours else []
        for source, port, to in found:
            links[source].append(Link(port=port, node=f"n{number}", to=to))
        if region != ROOT and (not found or draw(st.integers(0, 4)) == 0):
            links[region].append(
                Link(port=BODY_PORT, node=f"n{number}", to=draw(st.sampled_from(IN_PORTS)))
            )
        regions.append(region)
        nodes.append(draw(_node(number)))
    for number, node in enumerate(nodes):
        if node["kind"] == "t.caller" and number not in regions:  # it has nothing to call
            nodes[number] = node | {
                "kind": "t.effect",
                "config": {"seed": node["config"]["seed"]},
                "retry": None,
            }
    specs = tuple(NodeSpec(**node, links=tuple(links[number])) for number, node in enumerate(nodes))
    outputs: dict[str, str] = {}
    if draw(st.integers(0, 5)) == 0:
        at_root = [f"n{number}" for number in range(count) if regions[number] == ROOT]
        ports = (*PLAIN_PORTS, MANY_PORT)
        named = draw(
            st.lists(st.tuples(st.sampled_from(at_root), st.sampled_from(ports)), min_size=1, max_size=3)
        )
        kinds = {spec.key: spec.kind for spec in specs}
        outputs = {
            f"f{number}": f"{name}.{'x' if kinds[name] == 't.caller' else port}"
            for number, (name, port) in enumerate(named)
        }
    return FlowSpec(
        name="drawn",
        inputs={"a": {}},
        outputs=outputs,
        settings=draw(_settings(records)),
        nodes=specs,
    )


@st.composite
def _links(
    draw: st.DrawFn, neighbours: list[int], nodes: list[dict[str, Any]]
) -> list[tuple[int, str, str]]:
    found = []
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 2, 3]))):
        source = draw(st.sampled_from(neighbours))
        many = () if nodes[source]["kind"] == "t.caller" else (MANY_PORT,)
        port = draw(st.sampled_from((*PLAIN_PORTS, "x", *many, ERROR_PORT)))
        found.append((source, port, draw(st.sampled_from(IN_PORTS))))
    return found


@st.composite
def _node(draw: st.DrawFn, number: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(["t.pure", "t.effect", "t.slow", "t.slow", "t.threaded", "t.caller"]))
    config: dict[str, Any] = {"seed": draw(_SEEDS)}
    retry = None
    if kind == "t.caller":
        config["calls"] = draw(st.integers(0, 3))
        config["together"] = draw(st.booleans())
        config["guarded"] = draw(st.booleans())
    else:
        config["fails"] = draw(_FAILS)
    if kind == "t.slow":
        config["turns"] = draw(st.integers(0, 4))
        config["nap"] = draw(st.sampled_from([0, 0, 0, 0.5, 3, 90]))
    if kind in ("t.slow", "t.caller"):
        config["flaky"] = draw(_FLAKY)
        if config["flaky"]:
            delay = Duration(seconds=draw(st.sampled_from([0, 0.1, 10])))
            retry = Retry(attempts=draw(st.integers(1, 3)), delay=delay)
    join = draw(st.sampled_from([None, Join.ALL, Join.ANY]))
    return {"kind": kind, "name": f"n{number}", "config": config, "retry": retry, "join": join}


@st.composite
def _settings(draw: st.DrawFn, records: tuple[Record, ...]) -> Settings:
    strategy = draw(st.sampled_from(Strategy))
    return Settings(
        on_error=OnError(strategy=strategy, max_retries=2),
        max_parallel=draw(st.sampled_from([None, None, 1, 2])),
        record=draw(st.sampled_from(records)),
    )
