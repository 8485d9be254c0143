"""What some writes make of a catalogue: the one decision that all stores share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from penstock.core.catalog import Collection, Entry, Write
from penstock.core.errors import StoreConflict
from penstock.store.rows import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Head(NamedTuple):
    """A document as it is now, without its content. live: whether it is not deleted."""

    collection: Collection
    namespace: str
    id: str
    name: str
    revision: int
    live: bool


Names = dict[tuple[Collection, str, str], str]
"""Which document has a name: (collection, namespace, name) → id."""


def revise(writes: Sequence[Write], heads: Iterable[Head], *, position: int, at: float) -> list[Entry]:
    """The revisions that these writes make, one after the other, at the places behind `position`.

    heads: of every document that a write names by its id, and of every live one whose name
    a write wants; more do no harm. The caller sees to it that they stay as they are until
    what is returned is written. Raises StoreConflict for the first write at fault.
    """
    known = {(head.collection, head.id): head for head in heads}
    names: Names = {
        (head.collection, head.namespace, head.name): head.id
        for head in known.values()
        if head.live and head.name
    }
    entries: list[Entry] = []
    for number, write in enumerate(writes):
        head = known.get((write.collection, write.id)) or _none_yet(write)
        _refuse_conflicts(number, write, head, names)
        if write.content is None and not head.live:
            continue
        entry = Entry(
            collection=write.collection,
            namespace=write.namespace,
            id=write.id,
            name=head.name if write.content is None else write.name,
            revision=head.revision + 1,
            position=position + len(entries) + 1,
            at=at,
            origin=well_formed(write.origin),
            content=write.content,
        )
        entries.append(entry)
        known[write.collection, write.id] = head_of(entry)
        if head.live:
            names.pop((head.collection, head.namespace, head.name), None)
        if entry.name and not entry.deleted:
            names[entry.collection, entry.namespace, entry.name] = entry.id
    return entries


def head_of(entry: Entry) -> Head:
    return Head(
        entry.collection, entry.namespace, entry.id, entry.name, entry.revision, not entry.deleted
    )


def _none_yet(write: Write) -> Head:
    return Head(write.collection, write.namespace, write.id, "", 0, live=False)


def _refuse_conflicts(number: int, write: Write, head: Head, names: Names) -> None:
    found = head.revision if head.live else 0
    which = (
        f"`{write.name or head.name or write.id}` ({write.collection} of namespace `{write.namespace}`)"
    )
    if write.namespace != head.namespace and (head.live or write.content is not None):
        raise StoreConflict(
            f"{which} cannot be written: its id `{write.id}` belongs to namespace `{head.namespace}`",
            field="namespace",
            write=number,
            found=found,
            remedy="give it an id of its own, or none",
        )
    # Whoever saw a deletion may name its revision as well as 0.
    if write.revision is not None and write.revision != found and write.revision != head.revision:
        raise StoreConflict(
            f"{which} is {_now(found)}, but its writer saw {_seen(write.revision)}",
            field="revision",
            write=number,
            found=found,
            remedy="read it again, and write what is wanted of it as it is now",
        )
    holder = names.get((write.collection, write.namespace, write.name), write.id)
    if write.content is not None and holder != write.id:
        raise StoreConflict(
            f"{which} cannot have this name: it is taken by the one with id `{holder}`",
            field="name",
            write=number,
            found=found,
            remedy="choose another name, or rename or delete that one first",
        )


def _now(revision: int) -> str:
    return f"at revision {revision} now" if revision else "not there any more"


def _seen(revision: int) -> str:
    return f"revision {revision}" if revision else "none"
