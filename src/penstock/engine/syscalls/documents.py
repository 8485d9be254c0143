"""`nodes.…` and `values.…`: the documents of the store, of whatever namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core.payload import Payload
from penstock.engine.catalog.filters import Filter, read_filters
from penstock.engine.catalog.stored import StoredSpec, StoredValue
from penstock.engine.syscalls.opcodes import refuse_nothing

if TYPE_CHECKING:
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.catalog.values import Values


class Documents:
    """Specs, or values, of which it is never shown what they hold.

    kept: where they are. what: what they are called. namespace: that of the graph that asks. With
    nothing to choose by, everything outside of it is meant: a graph that looks after others does
    not delete itself by accident.
    """

    def __init__(self, kept: Specs | Values, what: str, namespace: str) -> None:
        self._kept = kept
        self._what = what
        self._namespace = namespace

    async def create(self, payload: Payload) -> Payload:
        refuse_nothing(payload, self._what)
        return _like(payload, await self._kept.create(payload))

    async def read(self, payload: Payload) -> Payload:
        return [_shown(each) for each in await self._meant(payload)]

    async def update(self, payload: Payload) -> Payload:
        refuse_nothing(payload, self._what)
        return _like(payload, await self._kept.update(payload))

    async def delete(self, payload: Payload) -> Payload:
        ids = [Filter(id=each.id) for each in await self._meant(payload)]
        return [_deleted(each) for each in await self._kept.delete(ids)] if ids else []

    async def _meant(self, payload: Payload) -> list[StoredSpec | StoredValue]:
        filters = read_filters(payload)
        spares_own = filters == [Filter()]
        found = await self._kept.find(filters)
        return [each for each in found if not (spares_own and each.namespace == self._namespace)]


def _like(payload: Payload, changes: Sequence[Change]) -> Payload:
    """What became of documents, one where one was given."""
    documents = [{**(each.after or {}), "revision": each.revision} for each in changes]
    return documents if isinstance(payload, list) else documents[0]


def _shown(found: StoredSpec | StoredValue) -> Mapping[str, Any]:
    if isinstance(found, StoredSpec):
        return {**found.document, "revision": found.revision}
    return {
        "id": found.id, "namespace": found.namespace, "name": found.name, "data": found.data,
        "annotations": found.annotations, "revision": found.revision,
    }  # fmt: skip


def _deleted(change: Change) -> Mapping[str, Any]:
    return {
        "id": change.id, "namespace": change.namespace, "name": change.name,
        "revision": change.revision,
    }  # fmt: skip
