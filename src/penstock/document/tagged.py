"""Tagged values: `{"type": "String", "value": "GET"}`, as the flow engine writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings

_SHAPES: Final[dict[str, type | tuple[type, ...]]] = {
    "Null": type(None),
    "Bool": bool,
    "Number": (int, float),
    "String": str,
    "Bytes": list,
    "Array": list,
    "Object": dict,
}
_SHARED: Final = "Arc"
"""The engine's suffix for values that are shared in memory; it means nothing in a document."""


def untag(value: Any, path: Path, findings: Findings) -> Any:
    """The plain value of a tagged one, however deep; whatever is not tagged stays as it is."""
    if isinstance(value, list):
        return [untag(item, (*path, index), findings) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    name = _tag(value)
    if name is None:
        return {key: untag(item, (*path, key), findings) for key, item in value.items()}
    inner, below = value.get("value"), (*path, "value")
    if name == "Json":
        return inner
    if name == "Bytes" and isinstance(inner, list):
        return _text(inner, below, findings)
    if name == "Number" and isinstance(inner, float) and inner.is_integer():
        # The engine has one type of number and writes 5 as 5.0.
        return int(inner)
    return untag(inner, below, findings)


def _tag(value: dict[str, Any]) -> str | None:
    """The type that a tagged value names, or None for a mapping that is not one."""
    name = value.get("type")
    if not isinstance(name, str):
        return None
    name = name.removesuffix(_SHARED)
    if value.keys() == {"type"}:
        return name if name == "Null" else None
    if value.keys() != {"type", "value"}:
        return None
    if name == "Json":
        return name
    shape = _SHAPES.get(name)
    fits = shape is not None and isinstance(value["value"], shape)
    return name if fits and (name != "Number" or not isinstance(value["value"], bool)) else None


def _text(value: list[Any], path: Path, findings: Findings) -> str:
    try:
        return bytes(value).decode("utf-8")
    except (TypeError, ValueError):
        hint = "keep binary data in a file and read it with a node"
        findings.report("these bytes are no UTF-8 text", path, hint=hint)
        return ""
