"""`symbols.…`: the live nodes of this runtime's own namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from penstock.core.payload import Payload
from penstock.engine.catalog.filters import read_filters
from penstock.engine.syscalls.opcodes import refusal, refuse_nothing

if TYPE_CHECKING:
    from penstock.engine.resident.resident import Resident


class Symbols:
    """The live nodes of this runtime's own namespace.

    `create` has them active again, `delete` takes them down until then, and `update` makes
    them anew. What is asked for happens soon after the answer: a graph may ask it of itself.
    """

    def __init__(self, resident: Resident) -> None:
        self._resident = resident

    async def create(self, payload: Payload) -> Payload:
        return self._act(payload, self._resident.table.candidates.put_up)

    async def read(self, payload: Payload) -> Payload:
        return [msgspec.to_builtins(self._resident.table.reports[key]) for key in self._chosen(payload)]

    async def update(self, payload: Payload) -> Payload:
        return self._act(payload, self._resident.renew)

    async def delete(self, payload: Payload) -> Payload:
        return self._act(payload, self._resident.table.candidates.take_down)

    def _act(self, payload: Payload, act: Callable[[str], None]) -> list[Payload]:
        refuse_nothing(payload, "symbols")
        keys = self._chosen(payload)
        if not keys:
            remedy = "`symbols.read` lists them"
            raise refusal("no symbol is meant by this", "not found", remedy=remedy)
        for key in keys:
            act(key)
        self._resident.refresh_soon()
        return list(keys)

    def _chosen(self, payload: Payload) -> list[str]:
        reports = self._resident.reports
        if payload is None:
            return [report.key for report in reports]
        wanted = payload if isinstance(payload, list) else [payload]
        names = {each for each in wanted if isinstance(each, str)}
        filters = read_filters([each for each in wanted if not isinstance(each, str)])
        return [
            report.key
            for report in reports
            if report.key in names
            or report.id in names
            or any(
                one.id in ("", report.id)
                and one.name in ("", report.key)
                and one.kind in ("", report.kind)
                and one.namespace in ("", self._resident.namespace)
                for one in filters
            )
        ]
