"""`penstock diff`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents import files as given
from penstock.cli.documents.changes import plain
from penstock.cli.documents.comparison import print_diff
from penstock.cli.documents.opening import opened, refuse_host
from penstock.cli.documents.wanted import put
from penstock.cli.exits import Exit
from penstock.core.spec import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from penstock.engine.catalog.draft import Change


@click.command()
@options.collection
@click.argument("name", required=False, default="")
@options.namespace
@given.option(required=False)
@click.option("--revision", "revisions", multiple=True, type=click.IntRange(min=1), metavar="N",
              help="Of NAME: this revision against the newest, or against a second one.")  # fmt: skip
@options.prune
@options.reveal
@options.kinds
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def diff(
    app: App,
    collection: str,
    name: str,
    *,
    namespace: str,
    files: tuple[str, ...],
    revisions: tuple[int, ...],
    prune: bool,
    reveal: bool,
    as_json: bool,
) -> Exit:
    """Show what `apply` would change, or what changed between two revisions of NAME.

    The exit code is that of diff(1): 0 when there are no differences, 1 when there are. Of
    values it is told what changed, and only with --reveal to what.
    """
    if bool(files) == bool(name) or (files and revisions) or (name and len(revisions) not in (1, 2)):
        raise click.UsageError("give either files with -f, or NAME and --revision once or twice")
    refuse_host(app)
    if files:
        changes = asyncio.run(
            put(app, collection, files, namespace=namespace, prune=prune, dry_run=True, reveal=reveal)
        )
    else:
        changes = [asyncio.run(_between(app, collection, name, revisions, namespace, reveal=reveal))]
    differences = [change for change in changes if change.before != change.after]
    if as_json:
        from penstock.cli.results import print_json

        sides = [{"before": change.before, "after": change.after} for change in differences]
        found = zip(map(plain, differences), sides, strict=True)
        print_json(app.console, [head | documents for head, documents in found])
    else:
        print_diff(app.console, differences)
    return Exit.FAILED if differences else Exit.COMPLETED


async def _between(
    app: App,
    collection: str,
    name: str,
    revisions: Sequence[int],
    namespace: str,
    *,
    reveal: bool,
) -> Change:
    own = namespace or DEFAULT_NAMESPACE
    async with opened(app) as shelves:
        if collection == "specs":
            return await shelves.specs.between(name, *revisions, namespace=own)
        return await shelves.values.between(name, *revisions, namespace=own, reveal=reveal)
