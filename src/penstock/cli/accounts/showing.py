"""How accounts are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from penstock.cli.console import Console


def show(console: Console, views: Sequence[msgspec.Struct], rows: Sequence[Mapping[str, str]], *,
         as_json: bool, nothing: str) -> None:  # fmt: skip
    """A list, as a table or as JSON. nothing: what to say of an empty one."""
    if as_json:
        from penstock.cli.results import print_json

        print_json(console, msgspec.to_builtins(views))
    elif rows:
        from penstock.cli.documents.listing import print_table

        print_table(console, rows)
    else:
        console.say(nothing)


def show_one(console: Console, view: msgspec.Struct, line: str, *, as_json: bool) -> None:
    """One of them, as a line or as JSON."""
    if as_json:
        from penstock.cli.results import print_json

        print_json(console, msgspec.to_builtins(view))
    else:
        console.out(line)


def when(moment: datetime | None, *, never: str = "") -> str:
    """A time as the wire has it, in the zone of who reads it."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else never
