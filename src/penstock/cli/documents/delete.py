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
from penstock.cli.documents.files import examine_specs, read_values
from penstock.cli.documents.opening import opened
from penstock.core.catalog import Collection
from penstock.core.errors import EntryNotFound
from penstock.core.spec import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from penstock.core.catalog import Entry
    from penstock.engine.catalog.draft import Change


@click.command()
@options.collection
@click.argument("names", nargs=-1, metavar="[NAME…]")
@options.namespace
@given.option(required=False)
@click.option("--all", "everything", is_flag=True, help="Everything in the namespace.")
@options.as_json
@options.store
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

    What was deleted can be brought back with `penstock rollback` and its id, which is printed.
    """
    if (bool(names), bool(files), everything).count(True) != 1:
        raise click.UsageError("say what to delete: NAMEs, -f FILE or --all")
    own = namespace or DEFAULT_NAMESPACE
    if files:
        changes = asyncio.run(_withdraw(app, collection, files, namespace))
    else:
        changes = asyncio.run(_delete(app, collection, None if everything else names, own))
    print_changes(app.console, changes, as_json=as_json)


async def _withdraw(app: App, collection: str, files: Sequence[str], namespace: str) -> list[Change]:
    if collection == "specs":
        documents = examine_specs(files)
        async with opened(app) as shelves:
            return await shelves.specs.withdraw(documents, namespace=namespace)
    sources = read_values(files)
    async with opened(app) as shelves:
        return await shelves.values.withdraw(sources, namespace=namespace)


async def _delete(
    app: App, collection: str, names: Sequence[str] | None, namespace: str
) -> list[Change]:
    """Delete what has these names or ids, or everything for None."""
    from penstock.engine.catalog.filters import Filter

    async with opened(app) as shelves:
        entries = await shelves.store.entries(Collection(collection), namespace=namespace)
        if names is not None:
            entries = _named(entries, names, collection, namespace)
        shelf = shelves.specs if collection == "specs" else shelves.values
        return await shelf.delete([Filter(id=entry.id) for entry in entries])


def _named(
    entries: Sequence[Entry], names: Sequence[str], collection: str, namespace: str
) -> list[Entry]:
    """The entries of these names or ids. Raises EntryNotFound with all that are not there."""
    by_key = {entry.id: entry for entry in entries}
    by_key |= {entry.name: entry for entry in entries if entry.name}
    missing = ", ".join(f"`{name}`" for name in names if name not in by_key)
    if missing:
        raise EntryNotFound(
            f"the namespace `{namespace}` has no {collection} {missing}; nothing was deleted",
            remedy=f"`penstock get {collection} -n {namespace}` lists them",
        )
    return list({by_key[name].id: by_key[name] for name in names}.values())
