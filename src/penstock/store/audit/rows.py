"""Rows of the `audit` table, as entries and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.audit import AuditEntry
from penstock.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.core.audit import AuditQuery


def to_columns(entries: Sequence[AuditEntry]) -> list[tuple[Any, ...]]:
    return [
        (each.at, each.who, each.action, each.subject, each.outcome, each.address, each.detail)
        for each in map(well_formed, entries)
    ]


def from_columns(found: Iterable[tuple[Any, ...]]) -> list[AuditEntry]:
    return [
        AuditEntry(
            number=number,
            at=at,
            who=who,
            action=action,
            subject=subject,
            outcome=outcome,
            address=address,
            detail=detail,
        )
        for number, at, who, action, subject, outcome, address, detail in found
    ]


def findable(query: AuditQuery) -> bool:
    """Whether any entry can be what a query asks for."""
    return all(map(rows.is_well_formed, (query.who, query.action, query.subject)))


def well_formed(entry: AuditEntry) -> AuditEntry:
    """The entry in text that every store can keep: strangers say what is in some of it."""
    texts = ("who", "action", "subject", "outcome", "address", "detail")
    return msgspec.structs.replace(
        entry, **{name: rows.well_formed(getattr(entry, name)) for name in texts}
    )
