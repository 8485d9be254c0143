"""Type hints of people's code: the JSON Schema that they stand for, and values made to fit them.

msgspec knows the builtin types, dates, `Decimal`, `UUID`, enums, dataclasses, structs and typed
mappings. What pydantic knows is left to pydantic, which nothing but such a hint imports.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, Final

import msgspec

from penstock.core.duration import Duration
from penstock.core.payload import Payload
from penstock.core.problems import Path
from penstock.core.spec import decode_hook

Schema = dict[str, Any]
"""A JSON Schema."""

_REFERENCES: Final = "#/$defs/{name}"
_PLACE: Final = re.compile(r" - at `(?:key in )?\$(?P<place>.*)`$")
_STEP: Final = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")


class Unfit(ValueError):
    """A value does not fit its hint. path: the place in the value, as far as it can be told."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def schemas_of(hints: Iterable[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each hint, and the definitions that they share, for `$defs`.

    Raises TypeError for a hint that no JSON-shaped value can fit.
    """
    definitions: dict[str, Schema] = {}

    def foreign(kind: type) -> Schema:
        if kind is Duration:
            return {"type": ["string", "number"], "description": "a duration such as 30s or 2h"}
        if _is_path(kind):
            return {"type": "string", "format": "path"}
        if _is_pydantic(kind):
            return _pydantic_schema(kind, definitions)
        raise TypeError(f"no JSON-shaped value is a `{getattr(kind, '__name__', kind)}`")

    found: list[Schema] = []
    for hint in hints:
        if _needs_pydantic(hint):
            found.append(_pydantic_schema(hint, definitions))
            continue
        (schema,), known = msgspec.json.schema_components(
            [hint], schema_hook=foreign, ref_template=_REFERENCES
        )
        definitions |= known
        found.append(schema)
    return found, definitions


def schema_of(hint: Any) -> Schema:
    """The JSON Schema of one hint, complete in itself. Raises TypeError as `schemas_of` does."""
    (schema,), definitions = schemas_of([hint])
    if schema.keys() == {"$ref"}:  # a type with a name: what it is stands at the top
        name = schema["$ref"].rpartition("/")[2]
        schema = definitions[name]
        if not _mentions(schema, definitions, name):
            del definitions[name]
    return schema | {"$defs": definitions} if definitions else schema


def _mentions(schema: Schema, definitions: dict[str, Schema], name: str) -> bool:
    """Whether a type refers to itself, directly or by others."""
    reference = _REFERENCES.format(name=name)
    others = [about for other, about in definitions.items() if other != name]
    return any(f"{reference!r}" in repr(about) for about in (schema, *others))


def fit(value: Payload, hint: Any) -> Any:
    """The value that a payload is by its hint: a date, a struct, a model. Raises Unfit."""
    if hint is Any:
        return value
    try:
        if _needs_pydantic(hint):
            return _by_pydantic(hint, value)
        return msgspec.convert(value, hint, dec_hook=_decode, strict=True)
    except Unfit:
        raise
    except (msgspec.ValidationError, ValueError) as error:
        raise _unfit(error) from error


def description_of(hint: Any) -> str:
    """What `Annotated[…, "text"]` says of a value; msgspec and pydantic have fields of their own."""
    if typing.get_origin(hint) is not typing.Annotated:
        return ""
    for item in hint.__metadata__:
        text = item if isinstance(item, str) else getattr(item, "documentation", None)
        if isinstance(text, str):
            return text
    return ""


def _decode(kind: type, value: Any) -> Any:
    if _is_path(kind):
        if isinstance(value, str):
            return kind(value)
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
    if _is_pydantic(kind):
        return _by_pydantic(kind, value)
    return decode_hook(kind, value)


def _is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, PurePath)


def _unfit(error: Exception) -> Unfit:
    inner = error.__cause__
    text = str(error)
    place = _PLACE.search(text)
    if place is None:
        return inner if isinstance(inner, Unfit) else Unfit(text)
    path: list[str | int] = []
    for step in _STEP.finditer(place["place"]):
        if step["key"] is None and step["index"] is None:
            break  # a key of a mapping: msgspec does not tell which
        path.append(step["key"] if step["index"] is None else int(step["index"]))
    if isinstance(inner, Unfit):
        return Unfit(inner.message, (*path, *inner.path))
    return Unfit(text[: place.start()], tuple(path))


# --- pydantic ---------------------------------------------------------------------


def _is_pydantic(kind: Any) -> bool:
    return hasattr(kind, "__get_pydantic_core_schema__")


def _needs_pydantic(hint: Any) -> bool:
    """Whether msgspec would miss what the hint says, or refuse it: it takes no unions of models."""
    if typing.get_origin(hint) is typing.Annotated:
        homes = {type(item).__module__.partition(".")[0] for item in hint.__metadata__}
        return bool(homes & {"pydantic", "annotated_types"}) or _needs_pydantic(hint.__origin__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        return len(parts) > 1 and any(_is_pydantic(part) or _needs_pydantic(part) for part in parts)
    return False


def _pydantic_schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    from pydantic import TypeAdapter

    schema: Schema = TypeAdapter(hint).json_schema(ref_template="#/$defs/{model}")
    definitions |= schema.pop("$defs", {})
    name = schema.get("title")
    if schema.get("type") == "object" and isinstance(name, str):
        definitions[name] = schema
        return {"$ref": f"#/$defs/{name}"}
    return schema


def _by_pydantic(hint: Any, value: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        first, *others = error.errors(include_url=False, include_context=False, include_input=False)
        more = f" (and {len(others)} more)" if others else ""
        raise Unfit(f"{first['msg']}{more}", first["loc"]) from None
