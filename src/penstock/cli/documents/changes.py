"""What became of documents, in lines and in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.engine.catalog.draft import Change

_STYLES: Final = {"created": "green", "updated": "yellow", "deleted": "red", "unchanged": "dim"}


def print_changes(
    console: Console,
    changes: Sequence[Change],
    *,
    as_json: bool = False,
    dry_run: bool = False,
    summary: bool = True,
) -> None:
    """Each change as a line on stdout, and a summary for the person who watches."""
    if as_json:
        from penstock.cli.results import print_json

        print_json(console, list(map(plain, changes)))
        return
    for change in changes:
        action = console.style(f"{change.action:9}", _STYLES[change.action], stream=console.stdout)
        # By its id, what was deleted can be brought back.
        known = f"  id {change.id}" if change.action == "deleted" and change.name else ""
        console.out(f"{action}  {change.namespace}/{change.key}  revision {change.revision}{known}")
    if summary:
        counts = Counter(str(change.action) for change in changes)
        told = ", ".join(f"{counts[action]} {action}" for action in _STYLES if counts[action])
        console.say(f"{told or 'nothing to do'}{'; nothing was written' if dry_run else ''}", "dim")


def plain(change: Change) -> dict[str, Any]:
    """A change for programs, without the documents."""
    return {
        "action": str(change.action),
        "id": change.id,
        "namespace": change.namespace,
        "name": change.name,
        "revision": change.revision,
    }
