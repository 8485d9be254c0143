"""From a spec to something that runs: decode, connect, check, compile.

Whatever is wrong with a flow is found here, all of it in one go, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from penstock.core.errors import DocumentError
from penstock.core.graph import dependencies_first
from penstock.core.payload import Payload
from penstock.core.spec import FlowSpec, digest
from penstock.document.findings import Findings
from penstock.engine.binding import Binder
from penstock.engine.calls import check_calls
from penstock.engine.decoding import Decoder
from penstock.engine.feeding import check_feeds, check_outputs, own_outputs, with_inputs
from penstock.engine.flow import GraphFlow
from penstock.engine.input_schema import check_schema
from penstock.engine.interface import Interface
from penstock.engine.kind import Node
from penstock.engine.plan import compile_flow
from penstock.engine.scheme import Scheme
from penstock.engine.site import Site
from penstock.engine.wiring import Wiring

if TYPE_CHECKING:
    from penstock.engine.redaction import Redactor


def compile_spec(
    spec: FlowSpec,
    scheme: Scheme,
    *,
    binder: Binder,
    values: Mapping[str, Payload] | None = None,
    findings: Findings | None = None,
) -> GraphFlow:
    """A flow that can run. Raises DocumentError with every problem, not yet placed.

    values: value documents by name, for `env`. findings: what is known to be wrong with the
    spec's document; what is found here is added to it, but for what only follows from that.
    """
    findings = Findings() if findings is None else findings
    check_schema(spec, findings)
    decoder = Decoder(scheme, binder, findings, env=spec.env, values=values or {})
    nodes = _make_nodes(spec, decoder)
    binder.missing |= decoder.missing
    wiring = Wiring(spec, _interfaces(spec, nodes, decoder), findings)
    spec = _check(spec, wiring)
    if len(nodes) < len(wiring.specs) and not findings.problems:
        # Whoever read its document knows more, and says so there.
        findings.report(f"a node of the flow `{spec.name}` cannot be read", spec.at)
    if findings.problems:
        raise DocumentError([*findings.problems, *findings.omitted()])
    sites = {
        key: Site.of(key, nodes[key], node, wiring.outgoing[key]) for key, node in wiring.specs.items()
    }
    plan = compile_flow(sites, wiring.entries, own_outputs(spec, wiring))
    spec = msgspec.structs.replace(spec, called=dict(binder.called))
    return GraphFlow(
        spec,
        plan,
        tuple(nodes[key] for key in dependencies_first(wiring.edges, list(wiring.edges))),
        revision=digest(spec),
        calls=tuple(binder.found),
        folder=binder.folder,
        redactor=_redactor(decoder),
    )


def _make_nodes(spec: FlowSpec, decoder: Decoder) -> dict[str, Node]:
    findings = decoder.findings
    if not spec.nodes and not findings.problems:
        findings.report(f"flow `{spec.name}` has no nodes", spec.at)
    nodes: dict[str, Node] = {}
    seen: set[str] = set()
    for node in spec.nodes:
        if node.key in seen:
            hint = "give one of them another name"
            findings.report(f"another node is named `{node.key}`", (*node.at, "name"), hint=hint)
        seen.add(node.key)
        instance = decoder.node(node)
        if instance is not None:
            nodes[node.key] = instance
    return nodes


def _interfaces(spec: FlowSpec, nodes: Mapping[str, Node], decoder: Decoder) -> dict[str, Interface]:
    """The ports of the nodes, of all where they are known."""
    found = {node.key: decoder.interface(node, nodes.get(node.key)) for node in spec.nodes}
    return {key: interface for key, interface in found.items() if interface is not None}


def _check(spec: FlowSpec, wiring: Wiring) -> FlowSpec:
    """The spec with its inputs; of what is wrong, only what does not follow from something else."""
    spec = with_inputs(spec, wiring)
    wiring.findings.next_stage()
    if wiring.clear:
        check_feeds(spec, wiring)
        if len(wiring.faces) == len(wiring.specs):
            check_calls(wiring)
    check_outputs(spec, wiring)
    return spec


def _redactor(decoder: Decoder) -> Redactor | None:
    if not decoder.secrets:
        return None
    from penstock.engine.redaction import Redactor

    return Redactor(decoder.secrets) or None
