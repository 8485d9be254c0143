"""The audit trail of one process."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from penstock.core.audit import EVERY_ENTRY
from penstock.store.audit.rows import well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.audit import AuditEntry, AuditQuery


class MemoryTrail:
    """Entries in a list."""

    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []

    async def record_audit(self, entries: Sequence[AuditEntry]) -> None:
        for number, entry in enumerate(entries, len(self._entries) + 1):
            self._entries.append(msgspec.structs.replace(well_formed(entry), number=number))

    async def audits(self, query: AuditQuery = EVERY_ENTRY) -> list[AuditEntry]:
        return list(islice(filter(query.admits, reversed(self._entries)), query.limit))
