"""Flow specs, as documents write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.core.problems import suggest
from penstock.core.spec import DEFAULT_NAMESPACE, FlowSpec
from penstock.document.fields import Fields
from penstock.document.findings import describe
from penstock.document.links import OUT, split_target
from penstock.document.nodes import read_annotations, read_env, read_node
from penstock.document.policies import read_settings
from penstock.document.scope import Scope, all_known, with_keys

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings

TYPES: Final = ("string", "number", "integer", "boolean", "array", "object", "null")
"""The types of JSON Schema."""

_HINTS: Final = {
    "connections": "each node has `links` of its own; `connections` go with a document without `flow`",
    "links": "links belong to the nodes",
    "steps": "did you mean `nodes`?",
}


def is_flow(value: Any) -> bool:
    """Whether a value reads as a flow spec: it says `flow:`, or is of that kind with nodes.

    A node may have a field `flow`, too: then it says its own kind, and has no nodes.
    """
    if not isinstance(value, dict):
        return False
    if "nodes" in value:
        return "flow" in value or value.get("kind") == "flow"
    return "flow" in value and value.get("kind") in (None, "flow")


def read_flow(value: dict[str, Any], path: Path, findings: Findings) -> FlowSpec:
    """One flow, from a mapping with `flow:`, or of kind `flow` with a name."""
    fields = Fields(value, path, findings)
    kind = fields.text("kind")
    if kind not in ("", "flow"):
        fields.report("kind", f"found {describe(kind)}, but a mapping with `flow:` is of kind `flow`")
    spellings = ("flow", "name") if kind == "flow" else ("flow",)
    name = fields.name(*spellings)
    if fields.lacks(*spellings):
        fields.missing("flow", hint="a flow needs a name, as in `flow: daily-report`")
    namespace = fields.name("namespace") or DEFAULT_NAMESPACE
    nodes = [
        read_node(node, (*fields.at("nodes"), index), findings, namespace=namespace)
        for index, node in fields.items("nodes")
    ]
    if value.get("nodes") in (None, []):
        fields.missing("nodes", hint="a flow needs at least one node")
    known = with_keys([node for node in nodes if node is not None])
    scope = Scope(known, findings, closed=all_known(value.get("nodes"), fields.at("nodes"), findings))
    inputs, required = read_inputs(fields)
    spec = FlowSpec(
        name=name,
        id=fields.ident("id"),
        description=fields.text("description"),
        inputs=inputs,
        required=required,
        outputs=read_outputs(fields, scope),
        settings=read_settings(fields.below("settings")),
        nodes=scope.settle(known),
        triggers=read_triggers(fields),
        namespace=namespace,
        annotations=read_annotations(fields),
        env=read_env(fields),
        author=fields.text("author"),
        tags=fields.texts("tags"),
        at=path,
    )
    fields.close(hints=_HINTS)
    return spec


def read_triggers(fields: Fields) -> tuple[dict[str, Any], ...]:
    """The triggers as they are written."""
    triggers: list[dict[str, Any]] = []
    for index, trigger in fields.items("triggers"):
        at = (*fields.at("triggers"), index)
        if isinstance(trigger, dict):
            Fields(trigger, at, fields.findings).name("name")
            triggers.append(trigger)
        else:
            fields.findings.expected("a mapping", trigger, at)
    return tuple(triggers)


def read_outputs(fields: Fields, scope: Scope) -> dict[str, str]:
    """The named results: field → `node.port`; a bare node means its `out` port."""

    def read(outputs: Fields, name: str) -> str:
        text = outputs.text(name)
        if not text and not outputs.lacks(name):
            return text
        node, port = split_target(text, OUT)
        if not node or not port:
            hint = "write `node.port`, as in `parse.parsed`"
            outputs.report(name, f"`{name}` does not say which output it is", hint=hint)
            return text
        return f"{scope.find(node, outputs.at(name)) or node}.{port}"

    return fields.mapping_of("outputs", read)


def read_inputs(fields: Fields) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """The JSON Schema of each input, and the names of those that must be given."""
    marked: list[str] = []

    def read(inputs: Fields, name: str) -> dict[str, Any]:
        schema = inputs.below(name)
        _check_type(schema)
        # In JSON Schema `required` is the list of an object's own properties; that one stays.
        if isinstance(schema.data.get("required"), list) or not schema.flag("required", default=False):
            return {
                key: item
                for key, item in schema.data.items()
                if not isinstance(item, bool) or key != "required"
            }
        marked.append(name)
        return {key: item for key, item in schema.data.items() if key != "required"}

    inputs = fields.mapping_of("inputs", read)
    listed = fields.texts("required")
    for name in listed:
        if name not in inputs:
            hint = suggest(name, inputs) or "declare it under `inputs`"
            fields.report("required", f"no input is named `{name}`", hint=hint)
    return inputs, tuple(dict.fromkeys((*listed, *marked)))


def _check_type(schema: Fields) -> None:
    value = schema.take("type")
    for name in value if isinstance(value, list) else [value]:
        if name is not None and name not in TYPES:
            hint = suggest(str(name), TYPES)
            schema.report("type", f"found {describe(name)}, which is no JSON type", hint=hint)
