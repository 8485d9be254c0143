"""What a flow takes and gives: that each in-port gets a value, and each output exists."""

from __future__ import annotations

from typing import Any

import msgspec

from penstock.core.ports import Port
from penstock.core.problems import suggest
from penstock.core.spec import FlowSpec, NodeSpec
from penstock.engine.interface import Interface
from penstock.engine.wiring import Wiring


def with_inputs(spec: FlowSpec, wiring: Wiring) -> FlowSpec:
    """The flow; one that declares no inputs takes what its entries cannot do without."""
    if spec.inputs:
        return spec
    implied = {
        port: _schema(about)
        for key in wiring.entries
        if key in wiring.faces
        for port, about in _open_ports(wiring.faces[key], wiring.specs[key])
    }
    return msgspec.structs.replace(spec, inputs=implied, required=tuple(implied))


def check_feeds(flow: FlowSpec, wiring: Wiring) -> None:
    """Report every in-port that neither a link, the config, an input nor a default feeds."""
    entries = set(wiring.entries)
    for key, face in wiring.faces.items():
        node = wiring.specs[key]
        fed = {link.to for _, link in wiring.incoming[key]}
        for port, _ in _open_ports(face, node):
            if port in fed or (key in entries and port in flow.inputs):
                continue
            ways = "link something to it"
            if port in face.kind.config_types():
                ways += f", or set `{port}: …`"
            if key in entries:
                ways += f", or declare `{port}` under `inputs`"
            message = f"in-port `{port}` of `{key}` gets no value"
            about = (*node.config_at, port)
            wiring.findings.report(message, node.at, hint=ways, about=about)


def check_outputs(spec: FlowSpec, wiring: Wiring) -> None:
    """Report every named output that no node has."""
    for field, reference in spec.outputs.items():
        name, _, port = reference.partition(".")
        path = (*spec.at, "outputs", field)
        face = wiring.faces.get(name)
        if name not in wiring.specs:
            hint = suggest(name, wiring.specs)
            wiring.findings.report(f"no node is named `{name}`", path, hint=hint)
        elif face is not None and face.output(face.own(port) or "out") is None:
            hint = suggest(port or "out", face.outputs)
            wiring.findings.report(f"`{name}` has no out-port `{port or 'out'}`", path, hint=hint)


def own_outputs(spec: FlowSpec, wiring: Wiring) -> dict[str, str]:
    """The named outputs, by ports rather than their aliases."""
    found: dict[str, str] = {}
    for field, reference in spec.outputs.items():
        name, _, port = reference.partition(".")
        found[field] = f"{name}.{wiring.faces[name].own(port) or 'out'}"
    return found


def _open_ports(face: Interface, spec: NodeSpec) -> list[tuple[str, Port]]:
    """In-ports that need a value which neither the config nor a default gives."""
    return [
        (name, about)
        for name, about in face.inputs.items()
        if about.required and not name.endswith("[]") and name not in spec.config
    ]


def _schema(port: Port) -> dict[str, Any]:
    try:
        schema = dict(msgspec.json.schema(port.type))
    except (TypeError, msgspec.MsgspecError):
        schema = {}
    if "$defs" in schema:  # a schema of properties has no place for definitions
        schema = {"type": schema["type"]} if "type" in schema else {"type": "object"}
    if port.doc:
        schema["description"] = port.doc
    return schema
