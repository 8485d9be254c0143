"""The flow engine's documents: `nodes` and `connections`, in JSON or YAML.

Its writers differ in small things (`node_type` or `kind`, a delay in `_ms` or `_seconds`,
both ends of a connection flat or nested); every spelling that was met is read.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from penstock.core.policies import Join
from penstock.core.spec import DEFAULT_NAMESPACE, LONGEST_NAME, NAME, FlowSpec, NodeSpec
from penstock.document.connections import Ends, read_connections
from penstock.document.fields import Fields
from penstock.document.findings import quote
from penstock.document.flows import read_inputs, read_outputs, read_triggers
from penstock.document.json_policies import read_json_settings, read_retry_policy, read_span
from penstock.document.nodes import as_text, read_annotations, read_env
from penstock.document.scope import Scope, all_known, with_keys
from penstock.document.tagged import untag

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings

_NOTES: Final = ("description", "position", "version", "created_at", "updated_at")
"""Fields that mean nothing to a run; they are kept as annotations."""


def read_flow_json(value: dict[str, Any], findings: Findings) -> FlowSpec:
    """The flow of a document of the flow engine."""
    fields = Fields(value, (), findings)
    nodes = [_read_node(node, ("nodes", index), findings) for index, node in fields.items("nodes")]
    known = with_keys(_with_names([node for node in nodes if node is not None], findings))
    if value.get("nodes") in (None, []):
        fields.missing("nodes", hint="a flow needs at least one node")
    scope = Scope(known, findings, closed=all_known(value.get("nodes"), ("nodes",), findings))
    links = read_connections(fields, Ends(scope, known))
    title = fields.text("name")
    ident = fields.ident("id")
    namespace = fields.name("namespace") or DEFAULT_NAMESPACE
    inputs, required = read_inputs(fields)
    spec = FlowSpec(
        name=_slug(title) or _slug(ident) or "flow",
        id=ident,
        description=fields.text("description"),
        inputs=inputs,
        required=required,
        outputs=read_outputs(fields, scope),
        settings=read_json_settings(fields.below("settings")),
        nodes=tuple(
            replace(node, links=tuple(links.get(node.key, ())), namespace=namespace) for node in known
        ),
        triggers=read_triggers(fields),
        namespace=namespace,
        annotations=_read_notes(fields, title),
        env=read_env(fields),
        author=fields.text("author"),
        tags=fields.texts("tags"),
    )
    fields.close()
    return spec


def _read_node(value: Any, path: Path, findings: Findings) -> NodeSpec | None:
    if not isinstance(value, dict):
        findings.expected("a node (a mapping with `id` and `node_type`)", value, path)
        return None
    fields = Fields(value, path, findings)
    spelling, _ = fields.first("node_type", "type", "kind")
    kind = fields.text(spelling)
    if fields.lacks("node_type", "type", "kind"):
        fields.missing("node_type", hint="`penstock kinds` lists the kinds of nodes")
    title = fields.text("name")
    config = fields.below("config")
    config = Fields(
        {key: untag(item, config.at(key), findings) for key, item in config.data.items()},
        config.path,
        findings,
    )
    retry, _ = fields.first("retry_policy", "retry")
    spec = NodeSpec(
        kind=kind,
        id=fields.ident("id"),
        name=title,
        annotations=_read_notes(fields, title),
        env=read_env(fields),
        retry=read_retry_policy(fields, retry),
        timeout=read_span(fields, "timeout") or read_span(config, "timeout"),
        join=fields.choice("join", Join),
        config=_own(config),
        at=path,
        kind_at=fields.at(spelling),
        config_at=config.path,
    )
    fields.close(hints={"links": "a node here is linked by `connections`"})
    return spec


def _own(config: Fields) -> dict[str, Any]:
    """What is left for the kind. `env` is a field of every node here, so a command's is renamed."""
    return {"environment" if key == "env" else key: item for key, item in config.rest().items()}


def _with_names(nodes: list[NodeSpec], findings: Findings) -> list[NodeSpec]:
    """The nodes with a name only where it can be one; elsewhere the id is the key."""
    holders = Counter(word for node in nodes for word in {node.id, node.name})
    named: list[NodeSpec] = []
    for node in nodes:
        usable = NAME.fullmatch(node.name) and holders[node.name] == 1
        if not usable and node.id and not NAME.fullmatch(node.id):
            hint = "an id without a usable name beside it holds letters, digits, `_` and `-`"
            findings.report(f"{quote(node.id)} is not an id", (*node.at, "id"), hint=hint)
        named.append(replace(node, name=node.name if usable else ""))
    return named


def _read_notes(fields: Fields, title: str) -> dict[str, str]:
    """Annotations, metadata, and what else is only for people."""
    notes = read_annotations(fields, "metadata") | read_annotations(fields)
    if title and not NAME.fullmatch(title):
        notes.setdefault("title", title)
    for name in _NOTES:
        value = fields.take(name)
        if value is not None and not (name == "description" and not fields.path):
            notes.setdefault(name, as_text(value))
    return notes


def _slug(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", title).strip("-")[:LONGEST_NAME]
