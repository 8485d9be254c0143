"""Where files are among values: the places that a JSON Schema gives the format `file`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from penstock.core.payload import SCALARS
from penstock.core.problems import Path

FORMAT: Final = "file"
"""The `format` of a value that is a file."""

_ALTERNATIVES: Final = ("anyOf", "oneOf")
_TOGETHER: Final = ("allOf", "if", "then", "else")
_DEEPEST: Final = 1000
"""Levels of a value; it may contain itself, until somebody looks."""

_REFERENCES: Final = 50
"""Of which one leads to the next."""

Part = tuple[Any, Any, Path]
"""A schema, the value that has it, and the place of that."""


def file_places(schema: Mapping[str, Any], value: Any) -> list[Path]:
    """The places of a value that are files by its schema, each once, the outer ones first.

    Nothing is where there is no value. What a schema proposes itself, as its `default`, is no
    file that anybody gave. Of several schemas that a value may have, one that makes a file of a
    text does so.
    """
    found: dict[Path, None] = {}
    seen: set[tuple[int, Path]] = set()
    ahead: deque[Part] = deque([(schema, value, ())])
    while ahead:
        part, inner, at = ahead.popleft()
        part = _resolved(part, schema)
        if part is None or inner is None or (id(part), at) in seen or len(at) > _DEEPEST:
            continue
        seen.add((id(part), at))  # a schema may refer to itself
        if "default" in part and part["default"] == inner:
            continue
        if part.get("format") == FORMAT:
            found[at] = None
            continue
        ahead.extend(_beside(part, inner, at, schema))
        ahead.extend(_inside(part, inner, at))
    return list(found)


def places_of(value: Any, kind: type) -> list[Path]:
    """The places of a value at which something of a type is."""
    found: list[Path] = []
    if isinstance(value, dict) and SCALARS.issuperset(map(type, value.values())):
        return found  # as the inputs of most launches are
    ahead: deque[tuple[Any, Path]] = deque([(value, ())])
    while ahead:
        inner, at = ahead.popleft()
        if isinstance(inner, kind):
            found.append(at)
        elif isinstance(inner, dict | list | tuple) and len(at) <= _DEEPEST:
            pairs = inner.items() if isinstance(inner, dict) else enumerate(inner)
            ahead.extend((item, (*at, step)) for step, item in pairs)
    return found


def at_place(value: Any, place: Path) -> Any:
    """What is at a place of a value."""
    for step in place:
        value = value[step]
    return value


def replaced(value: Any, place: Path, by: Any) -> Any:
    """A value with another one at a place; what is around it is copied."""
    if not place:
        return by
    root = around = _copied(value)
    for step in place[:-1]:
        inner = _copied(around[step])
        around[step] = inner
        around = inner
    around[place[-1]] = by
    return root


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else list(value)


def _beside(part: Mapping[str, Any], value: Any, at: Path, root: Mapping[str, Any]) -> Iterator[Part]:
    """The other schemas that a value has, or may have."""
    for word in _ALTERNATIVES:
        for other in part.get(word, ()):
            if isinstance(value, str) or not _is_file(other, root):
                yield other, value, at
    for word in _TOGETHER:
        found = part.get(word, ())
        for other in found if isinstance(found, list | tuple) else (found,):
            yield other, value, at


def _inside(part: Mapping[str, Any], value: Any, at: Path) -> Iterator[Part]:
    """What is inside of a value, with the schemas that it may have."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from ((inner, item, (*at, name)) for inner in _of_member(part, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from ((inner, item, (*at, number)) for inner in _of_item(part, number))


def _of_member(part: Mapping[str, Any], name: str) -> list[Any]:
    """The schemas that a member of a mapping may have."""
    own = part.get("properties", {})
    if name in own:
        return [own[name]]
    return [*part.get("patternProperties", {}).values(), part.get("additionalProperties")]


def _of_item(part: Mapping[str, Any], number: int) -> list[Any]:
    """The schemas that an item of a list may have."""
    first = part.get("prefixItems", ())
    return [first[number]] if number < len(first) else [part.get("items"), part.get("contains")]


def _is_file(part: Any, root: Mapping[str, Any]) -> bool:
    found = _resolved(part, root)
    return found is not None and found.get("format") == FORMAT


def _resolved(part: Any, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that a part is or refers to, inside of the same document; None when it is none."""
    for _ in range(_REFERENCES):
        if not isinstance(part, Mapping):
            return None
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        part = _at_pointer(root, reference)
    return None


def _at_pointer(root: Mapping[str, Any], reference: str) -> Any:
    found: Any = root
    for step in filter(None, reference.removeprefix("#").split("/")):
        found = (
            found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        )
    return found
