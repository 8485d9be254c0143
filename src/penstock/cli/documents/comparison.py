"""Differences between documents, as unified diffs of their YAML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.engine.catalog.draft import Change, Document

_STYLES: Final = {"-": "red", "+": "green", "@": "cyan"}


def print_diff(console: Console, changes: Sequence[Change]) -> None:
    """The differences on stdout, coloured on a terminal."""
    for change in changes:
        for line in unified(change):
            head = line.startswith(("--- ", "+++ "))
            style = "bold" if head else _STYLES.get(line[:1], "")
            console.out(console.style(line, style, stream=console.stdout))


def unified(change: Change) -> Iterator[str]:
    """The lines of a unified diff between the document before and after."""
    import difflib

    key = f"{change.namespace}/{change.key}"
    yield from difflib.unified_diff(
        _lines(change.before),
        _lines(change.after),
        fromfile=key if change.before else "/dev/null",
        tofile=key if change.after else "/dev/null",
        lineterm="",
    )


def _lines(document: Document | None) -> list[str]:
    if document is None:
        return []
    from penstock.document.yaml_writing import to_yaml

    return to_yaml(document).splitlines()
