"""Following the catalogue: every change, and every new status, as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from penstock.cli.documents.changes import print_changes
from penstock.cli.documents.listing import plain_status
from penstock.cli.documents.reported import NOT_SERVED, reported
from penstock.cli.results import print_json
from penstock.core.catalog import Collection
from penstock.core.errors import StoreError
from penstock.engine.catalog.draft import Action, Change

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.cli.documents.opening import Opened
    from penstock.cli.documents.reported import Told
    from penstock.core.catalog import Entry
    from penstock.core.store import Store
    from penstock.engine.catalog.stored import StoredSpec

LOOK_SECONDS: Final = 0.5
"""How often it is looked whether a status has changed."""


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


async def follow_statuses(
    console: Console,
    store: Store,
    look: Callable[[], Awaitable[Sequence[StoredSpec]]],
    shown: Mapping[str, Told],
    *,
    as_json: bool,
) -> None:
    """Print what runtimes newly say of specs, a line each, until cancelled.

    look: reads the specs. shown: the statuses that one knows already.
    """
    known = {key: told.text for key, told in shown.items()}
    while True:
        await asyncio.sleep(LOOK_SECONDS)  # runtimes that say something ring no bell
        try:
            specs = await look()
            told = await reported(store, specs)
        except StoreError:
            continue  # what cannot be seen now will be seen soon
        for spec in specs:
            if told[spec.id].text != known.get(spec.id, NOT_SERVED):
                _print_status(console, spec, told[spec.id], as_json=as_json)
        known = {key: each.text for key, each in told.items()}


def _print_status(console: Console, spec: StoredSpec, told: Told, *, as_json: bool) -> None:
    if as_json:
        head = {"action": "status", "id": spec.id, "namespace": spec.namespace, "name": spec.name}
        print_json(console, [head | plain_status(told)])
    else:
        console.out(f"{'status':9}  {spec.namespace}/{spec.key}  {told.text}")


def _change(entry: Entry) -> Change:
    created = Action.CREATED if entry.revision == 1 else Action.UPDATED
    return Change(
        action=Action.DELETED if entry.deleted else created,
        id=entry.id,
        namespace=entry.namespace,
        name=entry.name,
        revision=entry.revision,
    )
