"""`penstock rollback`."""

from __future__ import annotations

import asyncio

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents.changes import print_changes
from penstock.cli.documents.opening import opened
from penstock.core.spec import DEFAULT_NAMESPACE
from penstock.engine.catalog.draft import Change


@click.command()
@options.collection
@click.argument("name")
@click.argument("revision", type=click.IntRange(min=1))
@options.namespace
@options.kinds
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def rollback(
    app: App, collection: str, name: str, revision: int, *, namespace: str, as_json: bool
) -> None:
    """Write what NAME was at a REVISION, as a new revision.

    What was deleted comes back by its id; `penstock get specs NAME --history` lists revisions.
    """

    async def main() -> Change:
        async with opened(app) as shelves:
            shelf = shelves.specs if collection == "specs" else shelves.values
            return await shelf.rollback(name, revision, namespace=namespace or DEFAULT_NAMESPACE)

    print_changes(app.console, [asyncio.run(main())], as_json=as_json)
