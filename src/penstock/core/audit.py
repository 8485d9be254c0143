"""The audit trail: who did what to whom, and what came of it. Nothing in it ever changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act, allowed or refused.

    number: its place in the trail, from 1 on; 0 until it is recorded. at: epoch seconds.
    who: the id of the principal, or the name that somebody claimed who was none. action: what
    was done, such as `token.create`. subject: what it was done to. outcome: what came of it,
    such as `done` or `refused`. address: where it came from. detail: whatever else matters.
    No secret is ever in it.
    """

    at: float
    who: str
    action: str
    subject: str = ""
    outcome: str = "done"
    address: str = ""
    detail: str = ""
    number: int = 0


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries, newest first. What is left empty holds for every entry.

    before: goes on behind the last number of a page. limit: how many at most.
    """

    who: str = ""
    action: str = ""
    subject: str = ""
    before: int | None = None
    limit: int | None = None

    def admits(self, entry: AuditEntry) -> bool:
        """Whether an entry is one of them, wherever the limit may cut."""
        return (
            self.who in ("", entry.who)
            and self.action in ("", entry.action)
            and self.subject in ("", entry.subject)
            and (self.before is None or entry.number < self.before)
        )


EVERY_ENTRY: Final = AuditQuery()


class AuditTrail(Protocol):
    """What a store does with the audit trail. Every method raises StoreError and nothing else."""

    async def record_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries, all or none, in this order. They are on disk when this returns."""
        ...

    async def audits(self, query: AuditQuery = EVERY_ENTRY) -> list[AuditEntry]:
        """The entries that a query asks for, newest first."""
        ...
