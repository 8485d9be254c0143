"""`penstock delete`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents import files as given
from penstock.cli.documents.changes import print_changes
from penstock.cli.documents.chosen import named
from penstock.cli.documents.desk import opened_specs
from penstock.cli.documents.files import examine_specs, read_values
from penstock.cli.documents.opening import opened
from penstock.core.catalog import Collection
from penstock.core.spec import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from penstock.engine.catalog.draft import Change


@click.command()
@options.collection
@click.argument("names", nargs=-1, metavar="[NAME…]")
@options.namespace
@given.option(required=False)
@click.option("--all", "everything", is_flag=True, help="Everything in the namespace.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def delete(
    app: App,
    collection: str,
    names: tuple[str, ...],
    *,
    namespace: str,
    files: tuple[str, ...],
    everything: bool,
    as_json: bool,
) -> None:
    """Delete specs or values by NAME or id, or those that files say: all of them, or none.

    A host deletes specs alone, one after the other.
    What was deleted can be brought back with `penstock rollback` and its id, which is printed.
    """
    if (bool(names), bool(files), everything).count(True) != 1:
        raise click.UsageError("say what to delete: NAMEs, -f FILE or --all")
    if files:
        changes = asyncio.run(_withdraw(app, collection, files, namespace))
    else:
        changes = asyncio.run(_delete(app, collection, None if everything else names, namespace))
    print_changes(app.console, changes, as_json=as_json)


async def _withdraw(app: App, collection: str, files: Sequence[str], namespace: str) -> list[Change]:
    if collection == "specs":
        documents = examine_specs(files)
        async with opened_specs(app) as desk:
            return await desk.withdraw(documents, namespace=namespace)
    sources = read_values(files)
    async with opened(app) as shelves:
        return await shelves.values.withdraw(sources, namespace=namespace)


async def _delete(
    app: App, collection: str, names: Sequence[str] | None, namespace: str
) -> list[Change]:
    """Delete what has these names or ids, or everything for None."""
    from penstock.engine.catalog.filters import Filter

    if collection == "specs":
        async with opened_specs(app) as desk:
            return await desk.delete(names, namespace=namespace)
    own = namespace or DEFAULT_NAMESPACE
    async with opened(app) as shelves:
        entries = await shelves.store.entries(Collection.VALUES, namespace=own)
        if names is not None:
            entries = named(entries, names, collection, own)
        return await shelves.values.delete([Filter(id=entry.id) for entry in entries])
