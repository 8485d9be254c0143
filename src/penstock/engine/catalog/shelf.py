"""A shelf: the documents of one collection of a store, and every way to change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from penstock.core.catalog import Collection, Entry, Write
from penstock.core.errors import EntryNotFound, StoreConflict
from penstock.core.problems import nearest
from penstock.engine.catalog.draft import Action, Change, Document, Draft, Prune, Want
from penstock.engine.catalog.identity import new_id
from penstock.engine.catalog.planning import Shelved, Step, in_order, located, plan
from penstock.engine.clock import SystemClock

if TYPE_CHECKING:
    from penstock.core.catalog import Catalog
    from penstock.core.clock import Clock

ATTEMPTS: Final = 5
"""How often a plan is made anew because somebody else wrote meanwhile."""


class Codec(Protocol):
    """How a document becomes the content of an entry, and back."""

    def encode(self, draft: Draft, id: str) -> bytes:  # noqa: A002 - the field's word
        """The content of a draft that is written under this id."""
        ...

    def decode(self, entry: Entry) -> Document:
        """What the live entry says, without id and namespace."""
        ...


class Shelf:
    """One collection: its documents are decoded and encoded by a codec, whatever they are."""

    def __init__(
        self, store: Catalog, collection: Collection, codec: Codec, *, clock: Clock | None = None
    ) -> None:
        self._store = store
        self._collection = collection
        self._codec = codec
        self._clock = clock or SystemClock()

    async def entries(self, *, namespace: str | None = None, keys: Sequence[str] = ()) -> list[Entry]:
        """The live entries of a namespace, or of all; with `keys` those of these names and ids."""
        return await self._store.entries(self._collection, namespace=namespace, keys=keys)

    async def by_id(self, id: str) -> Entry:  # noqa: A002 - the field's word
        """The live entry of an id, in whatever namespace. Raises EntryNotFound."""
        for entry in await self.entries(keys=(id,)):
            if entry.id == id:
                return entry
        raise EntryNotFound(f"no {self._noun} has the id `{id}`")

    async def one(self, key: str, *, namespace: str) -> Entry:
        """The live entry of a name or an id. Raises EntryNotFound."""
        found = await self.entries(namespace=namespace, keys=(key,))
        if found:  # a name goes before the id of another
            return next((entry for entry in found if entry.name == key), found[0])
        names = [entry.name or entry.id for entry in await self.entries(namespace=namespace)]
        near = nearest(key, names)
        raise EntryNotFound(
            f"the namespace `{namespace}` has no {self._noun} `{key}`",
            remedy=f"did you mean `{near}`?"
            if near
            else f"`penstock get {self._collection} -n {namespace}` lists them",
        )

    async def history(self, key: str, *, namespace: str) -> list[Entry]:
        """Every revision of the document with this id or name, newest first.

        A document that was deleted is found by its id. Raises EntryNotFound.
        """
        found = await self._store.history(self._collection, key)
        if not found or found[0].namespace != namespace:
            entry = await self.one(key, namespace=namespace)
            found = await self._store.history(self._collection, entry.id)
        return found

    async def revision(self, key: str, revision: int, *, namespace: str) -> Entry:
        """One revision of a document. Raises EntryNotFound."""
        history = await self.history(key, namespace=namespace)
        for entry in history:
            if entry.revision == revision:
                return entry
        known = ", ".join(str(entry.revision) for entry in reversed(history))
        raise EntryNotFound(
            f"{self._noun} `{key}` has no revision {revision}", remedy=f"there are: {known}"
        )

    async def between(self, key: str, old: int, new: int | None, *, namespace: str) -> Change:
        """What changed from one revision to another, or to the newest. Raises EntryNotFound."""
        before = await self.revision(key, old, namespace=namespace)
        history = await self.history(key, namespace=namespace)
        after = history[0] if new is None else await self.revision(key, new, namespace=namespace)
        return Change(
            action=Action.DELETED if after.deleted else Action.UPDATED,
            id=after.id,
            namespace=after.namespace,
            name=after.name,
            revision=after.revision,
            before=None if before.deleted else self.document(before),
            after=None if after.deleted else self.document(after),
        )

    async def put(
        self,
        drafts: Sequence[Draft],
        *,
        want: Want = Want.EITHER,
        prune: Prune = Prune.NOTHING,
        dry_run: bool = False,
    ) -> list[Change]:
        """Write all drafts or none, in one transaction; what became of each, in their order.

        Raises DocumentError with every draft that cannot be written, and StoreConflict when
        one was made from a revision that is not the current one.
        """
        for attempt in range(1, ATTEMPTS + 1):
            steps = plan(
                drafts,
                await self._shelved(drafts),
                new_id=lambda: new_id(self._clock.now()),
                want=want,
                prune=prune,
            )
            changes = [self._change(step) for step in steps]
            if dry_run:
                break
            try:
                written = await self._write(in_order(steps))
            except StoreConflict:
                # Somebody wrote between the look and the write. What was made from a revision
                # of its own is refused by the next plan; all else just goes on top.
                if attempt == ATTEMPTS:
                    raise
            else:
                return [_numbered(change, written) for change in changes]
        return changes

    async def withdraw(self, drafts: Sequence[Draft]) -> list[Change]:
        """Delete what these drafts say, whatever it says by now; what is not there is left out."""
        shelved = await self._shelved(drafts)
        ids = dict.fromkeys(located(drafts, shelved))
        return await self.remove([shelved.by_id[id_] for id_ in ids if id_ in shelved.by_id])

    async def remove(self, entries: Sequence[Entry]) -> list[Change]:
        """Delete all of these entries or none. Raises StoreConflict when one has changed since.

        The changes do not say what was there: what cannot be read any more can be deleted.
        """
        written = await self._write([Step(Action.DELETED, entry.id, entry, None) for entry in entries])
        return [
            Change(
                action=Action.DELETED,
                id=entry.id,
                namespace=entry.namespace,
                name=entry.name,
                revision=written[entry.id].revision,
            )
            for entry in entries
        ]

    async def _shelved(self, drafts: Sequence[Draft]) -> Shelved:
        found: dict[str, Entry] = {}
        for namespace in dict.fromkeys(draft.namespace for draft in drafts):
            found |= {entry.id: entry for entry in await self.entries(namespace=namespace)}
        ids = [draft.id for draft in drafts if draft.id and draft.id not in found]
        if ids:  # they may be there, in another namespace
            elsewhere = await self.entries(keys=ids)
            found |= {entry.id: entry for entry in elsewhere if entry.id in ids}
        return Shelved(found.values(), self._codec.decode)

    async def _write(self, steps: Sequence[Step]) -> dict[str, Entry]:
        if not steps:
            return {}
        emptied = {step.id for step in steps if step.draft is None}
        writes = [self._as_write(step, emptied) for step in steps]
        entries = await self._store.write(writes, at=self._clock.now())
        return {entry.id: entry for entry in entries}

    def _as_write(self, step: Step, emptied: set[str]) -> Write:
        seen = step.entry.revision if step.entry else 0
        if step.draft is None:
            assert step.entry is not None
            return Write(
                collection=self._collection,
                namespace=step.entry.namespace,
                id=step.id,
                name=step.entry.name,
                revision=seen,
                origin=step.entry.origin,
            )
        return Write(
            collection=self._collection,
            namespace=step.draft.namespace,
            id=step.id,
            name=step.draft.name,
            content=self._codec.encode(step.draft, step.id),
            revision=None if step.id in emptied else seen,
            origin=step.draft.origin,
        )

    def _change(self, step: Step) -> Change:
        before = self.document(step.entry) if step.entry else None
        after = (
            {"id": step.id, "namespace": step.draft.namespace, **step.draft.written}
            if step.draft
            else None
        )
        seen = step.entry.revision if step.entry else 0
        subject = step.draft or step.entry
        assert subject is not None
        return Change(
            action=step.action,
            id=step.id,
            namespace=subject.namespace,
            name=subject.name,
            revision=seen if step.action is Action.UNCHANGED else seen + 1,
            before=before,
            after=after,
        )

    def document(self, entry: Entry) -> Document:
        """What a live entry says, with its id and namespace."""
        return {"id": entry.id, "namespace": entry.namespace, **self._codec.decode(entry)}

    @property
    def _noun(self) -> str:
        return self._collection.removesuffix("s")


def _numbered(change: Change, written: dict[str, Entry]) -> Change:
    """The change with the revision that the store gave it."""
    entry = written.get(change.id)
    return change if entry is None else msgspec.structs.replace(change, revision=entry.revision)
