"""Kinds as their users see them: documentation, ports and config, taken from the class."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.core.duration import Duration
from penstock.core.ports import Ports
from penstock.engine.types import type_name

if TYPE_CHECKING:
    from penstock.document.schema import KindInfo
    from penstock.engine.kind import Node


class Item(NamedTuple):
    """A port or a config field. default: as text or JSON; `required` when there must be a value."""

    name: str
    type: str
    default: str
    doc: str = ""


class Entry(NamedTuple):
    """One kind. text: its documentation behind the first line. example: a document.

    port_aliases: other names that links may use → the ports they mean.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    text: str
    example: str
    in_ports: list[Item]
    out_ports: list[Item]
    config: list[Item]
    port_aliases: dict[str, str]


def entry(kind: type[Node]) -> Entry:
    """What there is to know about a kind."""
    summary, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n")
    text, mark, example = rest.partition("Example:\n")
    return Entry(
        name=kind.kind,
        aliases=kind.aliases,
        summary=summary.strip(),
        text=text.strip(),
        example=inspect.cleandoc(f"\n{example}") if mark else "",
        in_ports=_ports(kind.in_ports, of_inputs=True),
        out_ports=_ports(kind.out_ports, of_inputs=False),
        config=_config(kind),
        port_aliases=dict(kind.port_aliases),
    )


def kind_info(kind: type[Node]) -> KindInfo:
    """What the schema of documents says about a kind."""
    from penstock.document.schema import KindInfo
    from penstock.engine.kind import Node

    config, definitions = _config_schemas(kind)
    return KindInfo(
        name=kind.kind,
        aliases=kind.aliases,
        summary=entry(kind).summary,
        config=config,
        required=tuple(kind.required_config()),
        in_ports=tuple(kind.in_ports),
        out_ports=tuple(kind.out_ports) if kind.ports is Node.ports else None,
        defs=definitions,
    )


def _config_schemas(kind: type[Node]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The JSON Schema of each config field, and the definitions these refer to."""
    import msgspec

    config: dict[str, dict[str, Any]] = {}
    definitions: dict[str, dict[str, Any]] = {}
    prefix = f"{kind.kind}."
    for name, hint in kind.config_types().items():
        try:
            (config[name],), found = msgspec.json.schema_components(
                [hint], schema_hook=_foreign_schema, ref_template=f"#/$defs/{prefix}{{name}}"
            )
        except (TypeError, NotImplementedError):
            # A type that JSON Schema cannot describe: the editor lets everything pass.
            config[name], found = {}, {}
        definitions |= {f"{prefix}{key}": schema for key, schema in found.items()}
    return config, definitions


def _foreign_schema(hint: type) -> dict[str, Any]:
    if hint is Duration:
        return {"type": ["string", "number"], "description": "a duration such as 500ms, 30s or 2h"}
    raise NotImplementedError(hint)


def type_text(hint: Any) -> str:
    """A type hint as a person would say it: `info | debug`, `list[str]`, `int | null`."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is type(None):
        return "null"
    if hint is Duration:
        return "duration"
    if origin is typing.Annotated:
        return type_text(parts[0])
    if origin is typing.Literal:
        return " | ".join(map(str, parts))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(type_text, parts))
    if origin is not None and isinstance(origin, type) and parts:
        return f"{origin.__name__}[{', '.join(type_text(part) for part in parts if part is not ...)}]"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " | ".join(str(member.value) for member in hint)
    return type_name(hint)


def _ports(ports: Ports, *, of_inputs: bool) -> list[Item]:
    found = []
    for name, port in ports.items():
        default = ("required" if port.required else _default_text(port.default)) if of_inputs else ""
        found.append(Item(name, type_text(port.type), default, port.doc))
    return found


def _config(kind: type[Node]) -> list[Item]:
    hints = kind.config_types()
    found: list[Item] = []
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        if not item.init:
            continue
        if item.default is not dataclasses.MISSING:
            default = _default_text(item.default)
        elif item.default_factory is not dataclasses.MISSING:
            default = _default_text(item.default_factory())
        else:
            default = "required"
        found.append(Item(item.name, type_text(hints[item.name]), default))
    return found


def _default_text(value: Any) -> str:
    import msgspec

    if value is None or value is msgspec.UNSET:
        return ""
    if isinstance(value, Duration) or (isinstance(value, str) and value):
        return str(value)
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (TypeError, ValueError):
        return str(value)
