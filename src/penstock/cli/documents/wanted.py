"""What files want of the store: written, or only compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.cli.documents.desk import opened_specs
from penstock.cli.documents.files import examine_specs, read_values
from penstock.cli.documents.opening import opened

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.engine.catalog.draft import Change


async def put(
    app: App,
    collection: str,
    files: Sequence[str],
    *,
    namespace: str,
    prune: bool,
    dry_run: bool,
    reveal: bool = False,
) -> list[Change]:
    """Apply the files, or with `dry_run` say what that would change."""
    from penstock.engine.catalog.draft import Prune

    if collection == "specs":
        documents = examine_specs(files)
        async with opened_specs(app, create=not dry_run) as desk:
            return await desk.apply(documents, namespace=namespace, prune=prune, dry_run=dry_run)
    pruned = Prune.NAMESPACE if prune else Prune.NOTHING
    sources = read_values(files)
    async with opened(app, create=not dry_run) as shelves:
        return await shelves.values.apply(
            sources, namespace=namespace, prune=pruned, dry_run=dry_run, reveal=reveal
        )
