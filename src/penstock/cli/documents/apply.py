"""`penstock apply`."""

from __future__ import annotations

import asyncio

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents import files as given
from penstock.cli.documents.changes import print_changes
from penstock.cli.documents.wanted import put


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
