"""Stores of which the audit trail is a part of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.audit import EVERY_ENTRY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.audit import AuditEntry, AuditQuery, AuditTrail


class Audited:
    """The methods of an AuditTrail, each passed on to `_trail`."""

    _trail: AuditTrail

    async def record_audit(self, entries: Sequence[AuditEntry]) -> None:
        await self._trail.record_audit(entries)

    async def audits(self, query: AuditQuery = EVERY_ENTRY) -> list[AuditEntry]:
        return await self._trail.audits(query)
