"""The JSON Schema of what a graph flow gives, as far as the types of its ports tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.ports import look_up
from penstock.engine.hints import Schema, schemas_of

if TYPE_CHECKING:
    from penstock.engine.plan import Plan, Vertex


def output_schema(plan: Plan) -> Schema | None:
    """The schema of a result that the flow names field by field; None where it does not.

    A field whose node was skipped is null, so that no port's type is all that it can be.
    """
    if not plan.outputs:
        return None
    properties: dict[str, Schema] = {field: {} for field in plan.outputs}
    definitions: dict[str, Schema] = {}
    for vertex in plan.vertices:
        for field, port in vertex.captures:
            properties[field] = _field(vertex, port, definitions)
    schema: Schema = {"type": "object", "properties": properties, "required": list(plan.outputs)}
    return schema | {"$defs": definitions} if definitions else schema


def _field(vertex: Vertex, port: str, definitions: dict[str, Schema]) -> Schema:
    declared = look_up(vertex.node.ports()[1], port)
    if declared is None or declared.type is Any or not vertex.once or port in vertex.many_ports:
        return {}
    try:
        (schema,), found = schemas_of([declared.type])
    except TypeError:
        return {}  # a type of the kind's own: its payload is normalised, but into what?
    if not schema:
        return {}
    definitions |= found
    about = {"description": declared.doc} if declared.doc else {}
    return {"anyOf": [schema, {"type": "null"}]} | about
