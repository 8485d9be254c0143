"""Schemas of locks: what a candidate must look like before the flow sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.payload import Payload, to_json
from penstock.core.problems import to_pointer
from penstock.core.reason import Reason

if TYPE_CHECKING:
    from jsonschema_rs import Validator


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise ValueError when this is no JSON Schema, or refers to something outside of itself."""
    try:
        _validator(schema)
    except ValueError as error:
        told = getattr(error, "message", str(error)).partition(" and retrieving it failed")[0]
        raise ValueError(f"the schema of the lock is no JSON Schema: {told}") from error


def misfits(schema: Mapping[str, Any] | None, value: Payload) -> tuple[Reason, ...]:
    """Everything about a candidate that does not fit a schema."""
    if schema is None:
        return ()
    plain = msgspec.json.decode(to_json(value))
    return tuple(
        Reason(error.message, to_pointer(tuple(error.instance_path)))
        for error in _validator(schema).iter_errors(plain)
    )


def _validator(schema: Mapping[str, Any]) -> Validator:
    import jsonschema_rs

    return jsonschema_rs.validator_for(dict(schema), validate_formats=True, retriever=_refuse)


def _refuse(uri: str) -> Any:
    raise ValueError(f"`{uri}` is not in the schema")
