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
from penstock.cli.documents.desk import opened_specs
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
@options.place
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
    """Make the store, or a host, hold what the files say: all of it, or nothing.

    A spec or value is the one with its id, else the one with its name in its namespace. What
    says the same already is not written again. A document with a `revision` is refused when
    somebody wrote since that revision (exit code 1). A host takes specs of its own namespace, from
    those who may administer it.
    """
    changes = asyncio.run(put(app, collection, files, namespace=namespace, prune=prune, dry_run=dry_run))
    print_changes(app.console, changes, as_json=as_json, dry_run=dry_run)
    if collection == "specs" and not (dry_run or as_json):
        asyncio.run(_warn(app, changes))


async def _warn(app: App, changes: Sequence[Change]) -> None:
    """Tell of what was written and cannot be active as things are: it may be meant, or a typo."""
    written = [change for change in changes if change.action in ("created", "updated")]
    async with opened_specs(app) as desk:
        doubtful = await desk.doubtful(written)
    for change in written:
        if change.id in doubtful:
            app.console.warn(f"{change.namespace}/{change.key} is {doubtful[change.id]}")
