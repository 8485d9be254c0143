"""The reference of the built-in kinds, from their classes and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core.ports import Port
from penstock.engine.kind import Control, Node

INDEX_HEAD = """# Kinds

What a node can be. Each has a page made from its docstring; `penstock kinds KIND` shows the same in
the terminal. A *pure* kind may be run again on replay; every other one runs once, and what it sent
is on disk before anything that depends on it starts.

"""

_EXAMPLE = re.compile(r"^Examples?:\s*$", re.MULTILINE)


def index(kinds: Iterable[type[Node]]) -> str:
    """The overview of all kinds, as Markdown."""
    rows = ["| kind | also | |", "|---|---|---|"]
    for kind in kinds:
        aliases = ", ".join(f"`{alias}`" for alias in kind.aliases)
        rows.append(f"| [`{kind.kind}`]({kind.kind}.md) | {aliases} | {summary(kind)} |")
    return INDEX_HEAD + "\n".join(rows) + "\n"


def page(kind: type[Node]) -> str:
    """The page of one kind, as Markdown."""
    prose, example = split_docstring(kind)
    sort = "control node" if issubclass(kind, Control) else "action"
    facts = [sort, "pure" if kind.pure else "effectful"]
    if kind.aliases:
        facts.append("also called " + ", ".join(f"`{alias}`" for alias in kind.aliases))
    parts = [
        f"# {kind.kind}",
        f"*{'; '.join(facts)}*",
        prose,
        _config_table(kind),
        _ports_table("In-ports", kind.in_ports),
        _ports_table("Out-ports", kind.out_ports),
    ]
    if example:
        parts.append(f"## Example\n\n```yaml\n{example}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(kind: type[Node]) -> str:
    """The first line of a kind's docstring."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]


def split_docstring(kind: type[Node]) -> tuple[str, str]:
    """A kind's prose, and the YAML of its `Example:` section without indentation."""
    text = inspect.cleandoc(kind.__doc__ or "")
    parts = _EXAMPLE.split(text, maxsplit=1)
    example = textwrap.dedent(parts[1].strip("\n")).rstrip() if len(parts) == 2 else ""
    return parts[0].rstrip(), example


def _config_table(kind: type[Node]) -> str:
    types_by_name = kind.config_types()
    if not types_by_name:
        return ""
    rows = ["## Config", "", "| field | type | default |", "|---|---|---|"]
    defaults = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name, hint in types_by_name.items():
        rows.append(f"| `{name}` | {_cell(type_text(hint))} | {_cell(_default(defaults[name]))} |")
    return "\n".join(rows)


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is not dataclasses.MISSING:
        value = item.default
        return "" if value is None else f"`{getattr(value, 'value', value)}`"
    if item.default_factory is not dataclasses.MISSING:
        return f"`{item.default_factory()}`"
    return "*required*"


def _ports_table(title: str, ports: Mapping[str, Port]) -> str:
    if not ports:
        return ""
    rows = [f"## {title}", "", "| port | type | |", "|---|---|---|"]
    for name, port in ports.items():
        remarks = [port.doc]
        if port.call:
            remarks.append("called: what hangs from it runs as a child process")
        if port.many:
            remarks.append("may send several packets")
        text = "; ".join(remark for remark in remarks if remark)
        rows.append(f"| `{name}` | {_cell(type_text(port.type))} | {_cell(text)} |")
    return "\n".join(rows)


def type_text(hint: Any) -> str:
    """A type hint as people write it, without module names."""
    if hint is Any:
        return "any"
    if hint is None or hint is type(None):
        return "none"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return type_text(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(argument) for argument in arguments if argument is not type(None))
    name = getattr(origin or hint, "__name__", str(hint))
    inner = [type_text(argument) for argument in arguments if argument is not Ellipsis]
    return f"{name} of {', '.join(inner)}" if inner else name


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
