"""The audit trail in a SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.audit import EVERY_ENTRY
from penstock.store import statements
from penstock.store.audit.rows import findable, from_columns, to_columns
from penstock.store.transaction import Transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from penstock.core.audit import AuditEntry, AuditQuery
    from penstock.store.failures import Guard


class SqliteTrail:
    """The table `audit`. database: the connection, or StoreError when there is none."""

    def __init__(self, database: Callable[[], sqlite3.Connection], *, guard: Guard) -> None:
        self._database = database
        self._guard = guard

    async def record_audit(self, entries: Sequence[AuditEntry]) -> None:
        database = self._database()
        with self._guard, Transaction(database):
            database.executemany(statements.INSERT_AUDIT, to_columns(entries))

    async def audits(self, query: AuditQuery = EVERY_ENTRY) -> list[AuditEntry]:
        if not findable(query):
            return []
        named = {
            "who": query.who,
            "action": query.action,
            "subject": query.subject,
            "before": query.before,
            "limit": -1 if query.limit is None else query.limit,
        }
        with self._guard:
            return from_columns(self._database().execute(statements.SELECT_AUDIT, named))
