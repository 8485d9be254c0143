"""The table of kinds, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from penstock.cli.catalogue import Entry, Item, entry
from penstock.cli.console import Console

if TYPE_CHECKING:
    from penstock.engine.kind import Node

WIDE: Final = 100
NARROWEST: Final = 24
"""Columns that a summary needs to stand beside its name rather than below."""


def print_table(
    console: Console, kinds: Sequence[type[Node]], broken: Mapping[str, str], *, as_json: bool
) -> None:
    """Every kind with its summary, by family. broken: kinds that do not load, and why."""
    entries = [entry(kind) for kind in kinds]
    if as_json:
        _print_json(console, entries)
        return
    names = {found.name: _names(found) for found in entries}
    width = max(map(len, names.values()), default=0)
    # Kinds without a family come first: they are the control kinds.
    entries.sort(key=lambda found: ("." in found.name, found.name))
    room = (console.columns or WIDE) - width - 2
    for found in entries:
        if room >= NARROWEST:
            console.out(f"{names[found.name]:{width}}  {found.summary}".rstrip())
        else:
            console.out(f"{names[found.name]}\n    {found.summary}")
    for name, reason in broken.items():
        console.warn(f"`{name}` does not load: {reason}")
    console.say("\n`penstock kinds KIND` shows the documentation of one", "dim")


def print_page(console: Console, kind: type[Node], *, as_json: bool) -> None:
    """The documentation of one kind."""
    found = entry(kind)
    if as_json:
        _print_json(console, [found])
        return

    def head(text: str) -> str:
        return console.style(text, "bold", stream=console.stdout)

    aliases = f"  (also {', '.join(found.aliases)})" if found.aliases else ""
    console.out(f"{head(found.name)}{aliases}\n{found.summary}")
    if found.text:
        console.out(f"\n{found.text}")
    for title, items in (
        ("Config", found.config),
        ("In-ports", found.in_ports),
        ("Out-ports", found.out_ports),
    ):
        if items:
            console.out(f"\n{head(title)}\n{_columns(items)}")
    if found.port_aliases:
        lines = [f"  {alias} → {port}" for alias, port in found.port_aliases.items()]
        console.out("\n".join(("", head("Other names of ports"), *lines)))
    if found.example:
        indented = "\n".join(f"  {line}".rstrip() for line in found.example.splitlines())
        console.out(f"\n{head('Example')}\n{indented}")


def _names(found: Entry) -> str:
    return ", ".join((found.name, *found.aliases))


def _columns(items: Sequence[Item]) -> str:
    """The items as a table, without the columns in which nothing stands."""
    columns = [column for column in zip(*items, strict=True) if any(column)]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "\n".join(
        "  ".join(("", *(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))).rstrip()
        for row in rows
    )


def _print_json(console: Console, entries: Sequence[Entry]) -> None:
    from penstock.cli.results import print_json

    plain = [
        found._asdict()
        | {
            part: [item._asdict() for item in getattr(found, part)]
            for part in ("in_ports", "out_ports", "config")
        }
        for found in entries
    ]
    print_json(console, plain)
