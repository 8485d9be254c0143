"""Nesting: graphs that stand for a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.graph import dependencies_first
from penstock.core.ports import Port
from penstock.core.problems import suggest
from penstock.core.spec import FlowSpec, Link, NodeSpec
from penstock.document.links import read_targets
from penstock.document.nodes import read_node
from penstock.document.scope import Scope, with_keys
from penstock.engine.calls import check_calls
from penstock.engine.feeding import check_feeds
from penstock.engine.instances import Instances
from penstock.engine.interface import Interface
from penstock.engine.plan import Plan, compile_nested
from penstock.engine.site import Site
from penstock.engine.wiring import Wiring

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.engine.decoding import Decoder
    from penstock.engine.kind import Node

Ends = dict[str, list[tuple[str, str]]]
"""Port of the outer node → nodes inside, each with the port of it that is meant."""


class NestedGraph:
    """What hangs inside of a node: a plan, and the instances in it, dependencies first."""

    def __init__(self, plan: Plan, nodes: Iterable[Node], inlets: Ends, outlets: Ends) -> None:
        self.plan = plan
        self.instances = Instances(nodes)
        many = {
            field
            for vertex in plan.vertices
            for field, port in vertex.captures
            if not vertex.once or port in vertex.many_ports
        }
        self.in_ports = {port: Port(default=None) for port in inlets or {"in": []}}
        self.out_ports = {
            port: Port(many=port in many or len(outlets[port]) > 1) for port in outlets
        } or {"out": Port()}


class Nesting:
    """Compiles the specs inside of one node; what is wrong with them goes to the findings.

    failed: whether a graph was asked for that could not be made. The findings alone do not
    tell: an earlier stage may have had its reasons already.
    """

    def __init__(self, decoder: Decoder, spec: NodeSpec) -> None:
        self.failed = False
        self._outer = decoder
        self._spec = spec
        self._findings = decoder.findings

    def graph(
        self, specs: list[Any], *, inbounds: Mapping[str, Any], outbounds: Mapping[str, Any]
    ) -> NestedGraph | None:
        """The graph of these specs, or None when something is wrong with it.

        inbounds, outbounds: ports of the outer node → links to ports inside. Without inbounds
        what arrives goes to every node that nothing leads to; without outbounds the response
        leaves. Specs that have no links at all, and neither of these, run one after the other.
        """
        graph = self._graph(specs, inbounds, outbounds)
        self.failed |= graph is None
        return graph

    def _graph(
        self, specs: list[Any], inbounds: Mapping[str, Any], outbounds: Mapping[str, Any]
    ) -> NestedGraph | None:
        at = (*self._spec.config_at, "specs")
        known = len(self._findings.places)
        nodes, chained = self._read(specs, at)
        decoder = self._decoder()
        decoded = {node.key: decoder.node(node) for node in nodes}
        instances = {key: node for key, node in decoded.items() if node is not None}
        self._outer.missing |= decoder.missing
        faces = {
            node.key: face
            for node in nodes
            if (face := decoder.interface(node, decoded[node.key])) is not None
        }
        if chained and not inbounds and not outbounds and len(faces) == len(nodes):
            nodes = _chain(nodes, faces)
        inner = FlowSpec(name=self._spec.key, nodes=tuple(nodes), at=at)
        wiring = Wiring(inner, faces, self._findings)
        if len(self._findings.places) > known or not len(nodes) == len(instances) == len(specs):
            return None
        inlets = self._ends(inbounds, "inbounds", wiring)
        outlets = self._ends(outbounds, "outbounds", wiring)
        if not inlets:
            inlets = {"in": [(key, faces[key].target("in")) for key in wiring.entries]}
        self._check(inner, wiring, inlets)
        if len(self._findings.places) > known:
            return None
        sites = {
            node.key: Site.of(node.key, instances[node.key], node, wiring.outgoing[node.key])
            for node in nodes
        }
        order = dependencies_first(wiring.edges, list(wiring.edges))
        plan = compile_nested(sites, inlets, outlets)
        return NestedGraph(plan, (instances[key] for key in order), inlets, outlets)

    def _read(self, specs: list[Any], at: Path) -> tuple[list[NodeSpec], bool]:
        """The nodes, and whether they are to run one after the other."""
        if not specs:
            self._findings.report("there are no specs in it", at, hint="list at least one node")
        namespace = self._spec.namespace
        read = [
            read_node(value, (*at, index), self._findings, namespace=namespace)
            for index, value in enumerate(specs)
        ]
        nodes = with_keys([node for node in read if node is not None])
        nodes = list(Scope(nodes, self._findings, closed=True).settle(nodes))
        return nodes, not any(node.links for node in nodes)

    def _decoder(self) -> Decoder:
        outer = self._outer
        decoder = type(outer)(
            outer.scheme,
            outer.binder,
            outer.findings,
            env={**outer.env, **self._spec.env},
            values=outer.values,
        )
        decoder.secrets = outer.secrets
        return decoder

    def _ends(self, bounds: Mapping[str, Any], field: str, wiring: Wiring) -> Ends:
        """Where the ports of the outer node lead, or come from."""
        coming = field == "inbounds"
        at = (*self._spec.config_at, field)
        ends: Ends = {}
        for link in read_targets(
            dict(bounds), at, self._findings, default="in" if coming else "out", of="ports"
        ):
            key = wiring.key(link.node)
            face = wiring.faces.get(key)
            if face is None:
                hint = suggest(link.node, wiring.specs)
                self._findings.report(f"no node inside is named `{link.node}`", link.at, hint=hint)
                continue
            port = face.target(link.to) if coming else face.source(link.to)
            if (face.input(port) if coming else face.output(port)) is None:
                ports, word = (face.inputs, "in-port") if coming else (face.outputs, "out-port")
                text = f"`{face.kind.kind}` has no {word} `{link.to}`"
                self._findings.report(text, link.at, hint=suggest(link.to, ports))
                continue
            ends.setdefault(link.port, []).append((key, port))
        return ends

    def _check(self, inner: FlowSpec, wiring: Wiring, inlets: Ends) -> None:
        """Report what nothing feeds, and calls that wait for something outside of them."""
        for targets in inlets.values():
            for key, port in targets:
                wiring.incoming[key].append(("", Link(port="", node=key, to=port)))
        check_feeds(inner, wiring)
        for targets in inlets.values():
            for key, _ in targets:
                wiring.incoming[key] = [pair for pair in wiring.incoming[key] if pair[0]]
        check_calls(wiring)


def _chain(nodes: list[NodeSpec], faces: Mapping[str, Interface]) -> list[NodeSpec]:
    """Each node linked to the next."""
    return [
        msgspec.structs.replace(
            node,
            links=(
                Link(
                    port=faces[node.key].source("out"),
                    node=after.key,
                    to=faces[after.key].target("in"),
                    at=after.at,
                ),
            ),
        )
        for node, after in pairwise(nodes)
    ] + nodes[-1:]
