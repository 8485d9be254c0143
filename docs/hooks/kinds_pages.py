"""The reference of the built-in kinds, from what `penstock kinds` knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.cli.catalogue import entry
from penstock.engine.kind import Control, Node, Trigger

INDEX_HEAD = """# Kinds

What a node can be. Each has a page made from its docstring; `penstock kinds KIND` shows the same in
the terminal. A *pure* kind may be run again on replay; every other one runs once, and what it sent
is on disk before anything that depends on it starts.

"""


def index(kinds: Iterable[type[Node]]) -> str:
    """The overview of all kinds, as Markdown."""
    rows = ["| kind | also | |", "|---|---|---|"]
    for kind in kinds:
        found = entry(kind)
        aliases = ", ".join(f"`{alias}`" for alias in found.aliases)
        rows.append(f"| [`{found.name}`]({found.name}.md) | {aliases} | {_text(found.summary)} |")
    return INDEX_HEAD + "\n".join(rows) + "\n"


def page(kind: type[Node]) -> str:
    """The page of one kind, as Markdown."""
    found = entry(kind)
    sorts = {Control: "control node", Trigger: "trigger"}
    sort = next((word for base, word in sorts.items() if issubclass(kind, base)), "action")
    facts = [sort, "pure" if kind.pure else "effectful"]
    if found.aliases:
        facts.append("also called " + ", ".join(f"`{alias}`" for alias in found.aliases))
    config = [(_code(item.name), _code(item.type), _code(item.default)) for item in found.config]
    in_ports = [
        (_code(item.name), _code(item.type), _code(item.default), _text(item.doc))
        for item in found.in_ports
    ]
    out_ports = [(_code(item.name), _code(item.type), _text(item.doc)) for item in found.out_ports]
    parts = [
        f"# {found.name}",
        f"*{'; '.join(facts)}*",
        found.summary,
        found.text,
        _table("Config", ("field", "type", "default"), config),
        _table("In-ports", ("port", "type", "default", ""), in_ports),
        _table("Out-ports", ("port", "type", ""), out_ports),
        f"## Example\n\n```yaml\n{found.example}\n```" if found.example else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines])


def _code(text: str) -> str:
    """A cell of code, in which Markdown leaves the mark between columns alone."""
    return f"`{text}`" if text else ""


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
