"""Following the catalogue: every change as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.cli.documents.changes import print_changes
from penstock.core.catalog import Collection
from penstock.engine.catalog.draft import Action, Change

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.cli.documents.opening import Opened
    from penstock.core.catalog import Entry


async def follow(
    console: Console,
    shelves: Opened,
    collection: str,
    *,
    namespace: str | None,
    keys: Sequence[str],
    after: int,
    as_json: bool,
) -> None:
    """Print every change behind a place of the change stream, a line each, until cancelled."""
    async for entries in shelves.store.changes(after=after):
        for entry in entries:
            own = entry.collection == Collection(collection) and namespace in (None, entry.namespace)
            if own and (not keys or entry.name in keys or entry.id in keys):
                print_changes(console, [_change(entry)], as_json=as_json, summary=False)


def _change(entry: Entry) -> Change:
    created = Action.CREATED if entry.revision == 1 else Action.UPDATED
    return Change(
        action=Action.DELETED if entry.deleted else created,
        id=entry.id,
        namespace=entry.namespace,
        name=entry.name,
        revision=entry.revision,
    )
