"""`penstock apply`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents import files as given
from penstock.cli.documents.changes import print_changes
from penstock.cli.documents.opening import opened
from penstock.cli.documents.statuses import READY, statuses
from penstock.cli.documents.wanted import put

if TYPE_CHECKING:
    from penstock.engine.catalog.draft import Change


@click.command()
@options.collection
@options.namespace
@given.option(required=True)
@options.prune
@options.dry_run
@options.kinds
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def apply(
    app: App,
    collection: str,
    *,
    namespace: str,
    files: tuple[str, ...],
    prune: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the store hold what the files say: all of it, or nothing.

    A spec or value is the one with its id, else the one with its name in its namespace. What
    says the same already is not written again. A document with a `revision` is refused when
    somebody wrote since that revision (exit code 1).
    """
    changes = asyncio.run(put(app, collection, files, namespace=namespace, prune=prune, dry_run=dry_run))
    print_changes(app.console, changes, as_json=as_json, dry_run=dry_run)
    if collection == "specs" and not (dry_run or as_json):
        asyncio.run(_warn(app, changes))


async def _warn(app: App, changes: Sequence[Change]) -> None:
    """Tell of what was written and cannot be active as things are: it may be meant, or a typo."""
    written = [change for change in changes if change.action in ("created", "updated")]
    async with opened(app) as shelves:
        told = await statuses(app, shelves, [change.namespace for change in written])
    for change in written:
        if told.get(change.id, READY) != READY:
            app.console.warn(f"{change.namespace}/{change.key} is {told[change.id]}")
