"""The audit trail in a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.audit import EVERY_ENTRY
from penstock.store.audit.rows import findable, from_columns, to_columns
from penstock.store.postgres import statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.audit import AuditEntry, AuditQuery
    from penstock.store.postgres.line import Line


class PostgresTrail:
    """The table `audit`."""

    def __init__(self, *, writing: Line, reading: Line) -> None:
        self._writing = writing
        self._reading = reading

    async def record_audit(self, entries: Sequence[AuditEntry]) -> None:
        async with self._writing as connection:
            await connection.executemany(statements.INSERT_AUDIT, to_columns(entries))

    async def audits(self, query: AuditQuery = EVERY_ENTRY) -> list[AuditEntry]:
        if not findable(query):
            return []
        async with self._reading as connection:
            return from_columns(
                await connection.fetch(
                    statements.SELECT_AUDIT,
                    query.before,
                    query.who,
                    query.action,
                    query.subject,
                    query.limit,
                )
            )
