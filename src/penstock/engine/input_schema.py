"""The JSON Schema that the inputs of a flow are checked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jsonschema_rs import Validator

    from penstock.core.spec import FlowSpec
    from penstock.document.findings import Findings

_TEXTS: Final = ("type", "description")


def validator(schema: Mapping[str, Any]) -> Validator:
    """What checks a mapping of inputs. Nothing is fetched: a schema is in its document.

    Raises ValueError when it is no JSON Schema.
    """
    import jsonschema_rs

    part = {key: value for key, value in schema.items() if key != "required"}
    return jsonschema_rs.validator_for(part, validate_formats=True, retriever=_refuse)


def check_schema(spec: FlowSpec, findings: Findings) -> None:
    """Report what is wrong with the schemas of a flow's inputs."""
    if all(map(_is_plain, spec.inputs.values())):
        return
    try:
        validator(spec.input_schema)
    except ValueError as error:
        told = getattr(error, "message", str(error)).partition(" and retrieving it failed")[0]
        path = getattr(error, "instance_path", [])
        inside = tuple(path[1:]) if path[:1] == ["properties"] else ()
        findings.report(f"this is no JSON Schema: {told}", (*spec.at, "inputs", *inside))


def _is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether it is right at a glance, as most are: the library takes its time to be imported."""
    return all(key == "default" or (key in _TEXTS and isinstance(schema[key], str)) for key in schema)


def _refuse(uri: str) -> Any:
    raise ValueError(f"`{uri}` is not in the document")
