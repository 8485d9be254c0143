"""Flows of the store itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from penstock.core.errors import DocumentError, EntryNotFound
from penstock.core.problems import suggest
from penstock.engine.resident.draft import Drafter, Sheet
from penstock.host.shelf import Served
from penstock.host.views import flow_view

if TYPE_CHECKING:
    from penstock.api import FlowView
    from penstock.cli.app import App
    from penstock.cli.documents.opening import Opened


class StoreFlows:
    """The flow specs of a namespace, compiled as a host would do it, but not loaded."""

    def __init__(self, app: App, shelves: Opened, namespace: str) -> None:
        self._app = app
        self._shelves = shelves
        self._namespace = namespace

    async def flows(self, *, tag: str = "") -> list[FlowView]:
        sheets = await self._sheets()
        drafter = await self._drafter(sheets)
        views = [self._view(drafter, name) for name in sorted(sheets)]
        return [view for view in views if not tag or tag in view.tags]

    async def flow(self, name: str) -> FlowView:
        sheets = await self._sheets()
        if name not in sheets:
            raise EntryNotFound(
                f"the namespace `{self._namespace}` has no flow `{name}`", remedy=suggest(name, sheets)
            )
        return self._view(await self._drafter(sheets), name)

    async def _sheets(self) -> dict[str, Sheet]:
        specs = await self._shelves.specs.read(namespace=self._namespace)
        sheets = [
            Sheet(id=spec.id, name=spec.name, revision=spec.revision, document=spec.document)
            for spec in specs
        ]
        return {sheet.name: sheet for sheet in sheets if sheet.is_flow}

    async def _drafter(self, sheets: dict[str, Sheet]) -> Drafter:
        loader = self._app.loader()
        values = await self._shelves.values.payloads(self._namespace)
        return Drafter(
            loader.scheme,
            ambient={},
            values={**loader.values, **values},
            flows=sheets,
            outside=loader.find,
        )

    def _view(self, drafter: Drafter, name: str) -> FlowView:
        try:
            served = Served(name=name, flow=drafter.flow(name))
        except DocumentError as error:
            served = Served(name=name, reason=str(error))
        # Nobody serves it here, so there is nowhere to go on from it.
        return msgspec.structs.replace(flow_view(served, self._namespace), links={})
