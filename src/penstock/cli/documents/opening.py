"""The store's specs and values, open for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.core.store import Store
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.catalog.values import Values
    from penstock.store.vault import Vault


class Opened(NamedTuple):
    """What a command works with while the store is open."""

    store: Store
    specs: Specs
    values: Values
    vault: Vault


@asynccontextmanager
async def opened(app: App, *, create: bool = False) -> AsyncIterator[Opened]:
    """Open the store that the settings name, and close it in the end. Raises SettingsError."""
    refuse_host(app)
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.catalog.values import Values

    vault, store = app.vault(), app.open_store(create=create)
    await store.open()
    try:
        yield Opened(store, Specs(store, scheme=app.scheme()), Values(store, vault=vault), vault)
    finally:
        await store.close()


def refuse_host(app: App) -> None:
    """Raise SettingsError where the settings name a host: what follows needs the store itself."""
    if app.host:
        raise SettingsError(
            f"this works on a store, and the settings name the host {app.host}",
            remedy="name the store with --store",
        )
