"""The desk: where flows are looked at, for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import click

from penstock.core.spec import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from penstock.api import FlowView
    from penstock.cli.app import App


class FlowDesk(Protocol):
    """What can be asked about flows, wherever they are kept."""

    async def flows(self, *, tag: str = "") -> list[FlowView]:
        """All of them by name, broken ones with the reason; only those that have a tag."""
        ...

    async def flow(self, name: str) -> FlowView:
        """Raises EntryNotFound."""
        ...


@asynccontextmanager
async def opened_flows(app: App, namespace: str, *, patient: bool = True) -> AsyncIterator[FlowDesk]:
    """The desk that the settings name: that of a host, or of a namespace of the store.

    patient: wait a little for a host that does not answer.
    """
    if app.host:
        if namespace:
            raise click.UsageError("a host serves one namespace, its own; leave -n out")
        from penstock.cli.flows.host_desk import HostFlows

        async with app.client(patient=patient) as client:
            yield HostFlows(client)
        return
    from penstock.cli.documents.opening import opened
    from penstock.cli.flows.store_desk import StoreFlows

    async with opened(app) as shelves:
        yield StoreFlows(app, shelves, namespace or DEFAULT_NAMESPACE)
