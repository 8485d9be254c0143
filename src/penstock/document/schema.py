"""The JSON Schema (2020-12) of documents, for editors and for other programs.

It is made for the kinds at hand: what a node may hold depends on its kind. Objects are
closed with `additionalProperties`, once for each kind, because most editors do not know
`unevaluatedProperties`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.document.flows import TYPES
from penstock.document.schema_parts import (
    COMMON,
    REVISION,
    closed,
    described,
    optional,
    parts,
    policies,
    ref,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.document.schema_parts import Schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""The identifier of the dialect; nothing is fetched from there."""


class KindInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a document may say about nodes of one kind.

    config: JSON Schema of each config field; `$ref`s in it point at `#/$defs/…`, and
    `defs` has what they mean. ports: names as kinds declare them, `out[]` for a family;
    None when a config decides about them.
    """

    name: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    config: dict[str, dict[str, Any]] = {}
    required: tuple[str, ...] = ()
    in_ports: tuple[str, ...] = ("in",)
    out_ports: tuple[str, ...] | None = ("out",)
    defs: dict[str, dict[str, Any]] = {}


def document_schema(kinds: Iterable[KindInfo]) -> dict[str, Any]:
    """The schema of every form of document, with nodes of these kinds."""
    known = sorted(kinds, key=lambda kind: kind.name)
    definitions = {**policies(), **parts(), **_flow(), **_flow_json(known), "node": _node(known)}
    for kind in known:
        definitions[f"kind.{kind.name}"] = _kind(kind)
        definitions |= kind.defs
    return {
        "$schema": DIALECT,
        "title": "A Penstock document",
        "description": "A flow (`flow:` and `nodes:`), a list of node specs, or nodes with connections.",
        "if": {"type": "array"},
        "then": {"minItems": 1, "items": _spec()},
        "else": {
            "type": "object",
            "if": {"anyOf": [{"required": ["flow"]}, {"required": ["kind"]}]},
            "then": _spec(),
            "else": ref("flow_json"),
        },
        "$defs": definitions,
    }


def _spec() -> Schema:
    """A flow or a node, told apart as the reader does."""
    as_kind = {"properties": {"kind": {"const": "flow"}}, "required": ["kind", "nodes"]}
    is_flow = {"anyOf": [{"required": ["flow"]}, as_kind]}
    return {"type": "object", "if": is_flow, "then": ref("flow"), "else": ref("node")}


def _node(kinds: list[KindInfo]) -> Schema:
    names = [(name, kind) for kind in kinds for name in (kind.name, *kind.aliases)]
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {
                "enum": [name for name, _ in names],
                "enumDescriptions": [kind.summary for _, kind in names],
                "description": "What the node does.",
            },
            **{name: optional(schema) for name, schema in COMMON.items()},
        },
        "not": {"required": ["links", "ports"]},
        "allOf": [
            {
                "if": {
                    "properties": {"kind": {"enum": [kind.name, *kind.aliases]}},
                    "required": ["kind"],
                },
                "then": ref(f"kind.{kind.name}"),
            }
            for kind in kinds
        ],
    }


def _kind(kind: KindInfo) -> Schema:
    """The fields of one kind; the common ones are described by `node`."""
    links = _links(kind.out_ports)
    common: dict[str, Any] = {
        "kind": True,
        **dict.fromkeys(COMMON, True),
        "links": links,
        "ports": links,
    }
    return {
        "description": kind.summary,
        "properties": {**kind.config, **common},
        **({"required": list(kind.required)} if kind.required else {}),
        "additionalProperties": False,
    }


def _links(ports: tuple[str, ...] | None) -> Schema:
    if ports is None:
        return {"type": ["object", "null"], "additionalProperties": ref("link")}
    families = [port.removesuffix("[]") for port in ports if port.endswith("[]")]
    return {
        "type": ["object", "null"],
        "properties": {port: ref("link") for port in (*ports, "error") if not port.endswith("[]")},
        "patternProperties": {rf"^{family}\[[0-9]+\]$": ref("link") for family in families},
        "additionalProperties": False,
    }


def _flow() -> dict[str, Schema]:
    schema_of_input = {
        "type": ["object", "null"],
        "properties": {
            "type": {"anyOf": [{"enum": [*TYPES]}, {"type": "array", "items": {"enum": [*TYPES]}}]},
            "description": {"type": "string"},
            "required": {"type": ["boolean", "array"], "description": "Whether it must be given."},
            "default": True,
        },
    }
    properties: dict[str, Schema] = {
        "kind": {"const": "flow"},
        "flow": described("name", "The name of the flow."),
        "name": described("name", "The name of the flow, beside `kind: flow`."),
        "id": text("The id of the flow."),
        "description": text("What the flow is for."),
        "inputs": {
            "type": "object",
            "additionalProperties": schema_of_input,
            "description": "JSON Schema of each input; each reaches the in-port of its name.",
        },
        "required": {"type": ["array", "string"], "items": {"type": "string"}},
        "outputs": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Result field → `node.port`.",
        },
        "settings": ref("settings"),
        "nodes": {"type": "array", "minItems": 1, "items": ref("node"), "description": "The graph."},
        **_about(),
    }
    flow = closed(properties, "A flow that runs to completion.", required=["nodes"], type="object")
    by_name = [{"required": ["flow"]}, {"required": ["kind", "name"]}]
    return {"flow": {**flow, "anyOf": by_name}}


def _about() -> dict[str, Schema]:
    """What both forms of a flow say beside their graph."""
    return {
        "env": ref("env"),
        "author": text("Who wrote the flow."),
        "tags": {"type": ["array", "string"], "items": {"type": "string"}},
        "annotations": ref("annotations"),
        "namespace": described("name", "The namespace that the flow lives in."),
        "revision": {"type": "integer", "minimum": 0, "description": REVISION},
        "triggers": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What starts the flow.",
        },
    }


def _flow_json(kinds: list[KindInfo]) -> dict[str, Schema]:
    """The flow engine's form. Its many spellings are left to the reader."""
    names = {"enum": [name for kind in kinds for name in (kind.name, *kind.aliases)]}
    node = {
        "type": "object",
        "properties": {
            "id": text("How connections name the node."),
            **dict.fromkeys(("node_type", "type", "kind"), names),
            "name": {"type": ["string", "null"]},
            "config": {"type": ["object", "null"]},
        },
        "anyOf": [{"required": [name]} for name in ("node_type", "type", "kind")],
    }
    connection = {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("from_node", "from_port", "to_node", "to_port")
        },
    }
    return {
        "flow_json": {
            "type": "object",
            "description": "A flow as nodes and connections.",
            "required": ["nodes"],
            "properties": {
                "id": {"type": ["string", "null"]},
                "name": {"type": ["string", "null"]},
                "description": {"type": ["string", "null"]},
                "nodes": {"type": "array", "minItems": 1, "items": node},
                "connections": {"type": ["array", "null"], "items": connection},
                "settings": {"type": ["object", "null"]},
                "metadata": {"type": ["object", "null"]},
                **{name: optional(schema) for name, schema in _about().items()},
            },
        }
    }
