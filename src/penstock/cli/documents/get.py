"""`penstock get`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.documents.desk import opened_specs
from penstock.cli.documents.listing import Listing, print_listing, print_table
from penstock.cli.documents.opening import opened
from penstock.cli.documents.reported import foretold
from penstock.cli.documents.watching import follow, follow_statuses
from penstock.cli.results import print_json
from penstock.core.catalog import DOCUMENTS
from penstock.core.errors import EntryNotFound
from penstock.core.spec import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.cli.documents.opening import Opened
    from penstock.cli.documents.reported import Told
    from penstock.engine.catalog.stored import StoredSpec, StoredValue


class Wanted(NamedTuple):
    """What to get. namespace: None for all of them. revision: 0 for the newest."""

    collection: str
    names: tuple[str, ...]
    namespace: str | None
    history: bool
    revision: int
    reveal: bool

    @property
    def past(self) -> bool:
        """Whether it is about revisions of one document."""
        return self.history or self.revision > 0


@click.command()
@click.argument("what", metavar="specs|values|namespaces",
                type=click.Choice(["specs", "values", "namespaces"]))  # fmt: skip
@click.argument("names", nargs=-1, metavar="[NAME…]")
@options.namespace
@click.option("--all", "everywhere", is_flag=True, help="Of all namespaces.")
@click.option("-o", "--output", type=click.Choice(["table", "yaml", "json", "name"]), default="table",
              help="What they are shown as.")  # fmt: skip
@click.option("--history", is_flag=True, help="Every revision of NAME, the newest first.")
@click.option("--revision", type=click.IntRange(min=1), default=None, metavar="N",
              help="NAME as it was at this revision.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Go on, and show every change, until Ctrl-C.")
@options.reveal
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def get(
    app: App,
    what: str,
    names: tuple[str, ...],
    *,
    namespace: str,
    everywhere: bool,
    output: str,
    history: bool,
    revision: int | None,
    watch: bool,
    reveal: bool,
    as_json: bool,
) -> None:
    """Show specs or values by NAME or id, all of a namespace, or the namespaces.

    The status of a spec is what the runtimes say that serve its namespace: active, waiting for
    something, or broken. Values show their keys and `•••`, unless --reveal is given. What
    `-o yaml` prints can be applied again; its `revision` refuses that when somebody wrote meanwhile.
    Of a host, only specs as they are now.
    """
    form = "json" if as_json else output
    if what == "namespaces":
        asyncio.run(_namespaces(app, form))
        return
    if (history or revision) and (len(names) != 1 or everywhere or watch):
        raise click.UsageError("--history and --revision are of one NAME")
    usual = "" if app.host else DEFAULT_NAMESPACE
    own = None if everywhere else namespace or usual
    wanted = Wanted(what, names, own, history, revision or 0, reveal)
    if what == "specs" and not (wanted.past or watch):
        asyncio.run(_list(app, wanted, form))
    else:
        asyncio.run(_show(app, wanted, form, watch=watch))


async def _list(app: App, wanted: Wanted, form: str) -> None:
    """Specs as they are, wherever they are kept."""
    async with opened_specs(app) as desk:
        found = await desk.read(wanted.names, namespace=wanted.namespace)
        _require_all(wanted, found)
        told = {} if form == "name" else await desk.told(found)
    print_listing(app.console, Listing(form, everywhere=wanted.namespace is None), found, told)


async def _show(app: App, wanted: Wanted, form: str, *, watch: bool) -> None:
    async with opened(app) as shelves:
        position = await shelves.store.position()
        found = await _find(shelves, wanted)
        told: dict[str, Told] | None = None
        if wanted.collection == "specs" and form != "name" and not wanted.past:
            told = await foretold(app, shelves, cast("Sequence[StoredSpec]", found))
        listing = Listing(form, everywhere=wanted.namespace is None, history=wanted.past)
        print_listing(app.console, listing, found, told or {})
        if watch:
            await _watch(app.console, shelves, wanted, after=position, as_json=form == "json", told=told)


async def _watch(
    console: Console,
    shelves: Opened,
    wanted: Wanted,
    *,
    after: int,
    as_json: bool,
    told: Mapping[str, Told] | None,
) -> None:
    """Go on behind a place of the change stream until cancelled. told: statuses that were shown."""
    tasks: list[asyncio.Task[None]] = []
    if told is not None:
        look = partial(shelves.specs.read, namespace=wanted.namespace, keys=wanted.names)
        work = follow_statuses(console, shelves.store, look, told, as_json=as_json)
        tasks.append(asyncio.create_task(work, name="penstock:statuses"))
    try:
        await follow(
            console,
            shelves,
            wanted.collection,
            namespace=wanted.namespace,
            keys=wanted.names,
            after=after,
            as_json=as_json,
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _find(shelves: Opened, wanted: Wanted) -> Sequence[StoredSpec | StoredValue]:
    specs, values = shelves.specs, shelves.values
    found: Sequence[StoredSpec | StoredValue]
    if wanted.past:
        (name,), own = wanted.names, wanted.namespace or DEFAULT_NAMESPACE
        if wanted.collection == "specs":
            found = await specs.history(name, namespace=own)
        else:
            found = await values.history(name, namespace=own, reveal=wanted.reveal)
        if wanted.revision and all(one.revision != wanted.revision for one in found):
            raise EntryNotFound(f"`{name}` has no revision {wanted.revision}")
        return [one for one in found if wanted.revision in (0, one.revision)]
    if wanted.collection == "specs":
        found = await specs.read(namespace=wanted.namespace, keys=wanted.names)
    else:
        found = await values.read(namespace=wanted.namespace, keys=wanted.names, reveal=wanted.reveal)
    _require_all(wanted, found)
    return found


def _require_all(wanted: Wanted, found: Sequence[StoredSpec | StoredValue]) -> None:
    """Raise EntryNotFound with all names that are of nothing."""
    known = {one.name for one in found} | {one.id for one in found}
    missing = ", ".join(f"`{name}`" for name in wanted.names if name not in known)
    if missing:
        where = f"the namespace `{wanted.namespace}` has" if wanted.namespace else "there are"
        raise EntryNotFound(f"{where} no {wanted.collection} {missing}")


async def _namespaces(app: App, form: str) -> None:
    """How many specs and values each namespace has."""
    async with opened(app) as shelves:
        counts = {
            collection: Counter(entry.namespace for entry in await shelves.store.entries(collection))
            for collection in DOCUMENTS
        }
    names = sorted(set().union(*counts.values()))
    rows = [
        {"namespace": name, **{str(each): counts[each][name] for each in DOCUMENTS}} for name in names
    ]
    if form == "json":
        print_json(app.console, rows)
    elif form == "yaml":
        from penstock.document.yaml_writing import to_yaml

        app.console.out(to_yaml(rows).rstrip("\n"))
    elif form == "name" or not rows:
        for name in names:
            app.console.out(name)
    else:
        print_table(app.console, [{key.upper(): str(cell) for key, cell in row.items()} for row in rows])
