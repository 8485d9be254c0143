"""Rows of the `catalogue` table, as the structs of core/catalog.py and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.catalog import Collection, Entry
from penstock.store.catalogue.revise import Head

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def to_columns(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """The rows of new revisions. Only the last one of a document can be live."""
    newest = {(entry.collection, entry.id): entry.position for entry in entries}
    return [
        (
            entry.position,
            entry.collection.value,
            entry.namespace,
            entry.id,
            entry.name,
            entry.revision,
            int(not entry.deleted and newest[entry.collection, entry.id] == entry.position),
            entry.at,
            entry.origin,
            entry.content,
        )
        for entry in entries
    ]


def retired(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Of which documents, by collection and id, the row that was live no longer is."""
    return [(entry.collection.value, entry.id) for entry in entries if entry.revision > 1]


def from_columns(found: Iterable[Sequence[Any]]) -> list[Entry]:
    """The entries of rows that were selected in this order."""
    return [
        Entry(
            collection=Collection(collection),
            namespace=namespace,
            id=key,
            name=name,
            revision=revision,
            position=position,
            at=at,
            origin=origin,
            content=content,
        )
        for position, collection, namespace, key, name, revision, at, origin, content in found
    ]


def to_heads(found: Iterable[Sequence[Any]]) -> list[Head]:
    return [
        Head(Collection(collection), namespace, key, name, revision, live=live == 1)
        for collection, namespace, key, name, revision, live in found
    ]
