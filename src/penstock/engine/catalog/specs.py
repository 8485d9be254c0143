"""Specs of a store: read, applied, created, updated, deleted, rolled back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.catalog import Collection, Entry
from penstock.core.errors import DocumentError, EntryNotFound
from penstock.core.payload import Payload
from penstock.core.spec import FlowSpec
from penstock.document.reader import examine_data
from penstock.engine.catalog.checking import Checker, Flows
from penstock.engine.catalog.draft import Change, Draft, Prune, Want
from penstock.engine.catalog.drafting import draft_specs
from penstock.engine.catalog.filters import Filter, chosen, one_namespace
from penstock.engine.catalog.patching import patch
from penstock.engine.catalog.shelf import Shelf
from penstock.engine.catalog.stored import StoredSpec

if TYPE_CHECKING:
    from penstock.core.catalog import Catalog
    from penstock.core.clock import Clock
    from penstock.core.problems import Problem
    from penstock.document.reader import Document, Examination
    from penstock.engine.scheme import Scheme


class Specs:
    """The specs of a store, checked against the kinds of a scheme before they are written."""

    def __init__(self, store: Catalog, *, scheme: Scheme, clock: Clock | None = None) -> None:
        self._shelf = Shelf(store, Collection.SPECS, _Plain(), clock=clock)
        self._scheme = scheme

    async def read(self, *, namespace: str | None = None, keys: Sequence[str] = ()) -> list[StoredSpec]:
        """The specs of a namespace, or of all; with `keys` those of these names and ids."""
        return list(map(StoredSpec.of, await self._shelf.entries(namespace=namespace, keys=keys)))

    async def find(self, filters: Sequence[Filter]) -> list[StoredSpec]:
        """The specs that any of the filters means."""
        return list(map(StoredSpec.of, await self._chosen(filters)))

    async def one(self, key: str, *, namespace: str) -> StoredSpec:
        """The spec of this name or id. Raises EntryNotFound."""
        return StoredSpec.of(await self._shelf.one(key, namespace=namespace))

    async def apply(
        self,
        documents: Sequence[Examination],
        *,
        namespace: str = "",
        origin: str | Sequence[str] | None = None,
        prune: Prune = Prune.NOTHING,
        dry_run: bool = False,
    ) -> list[Change]:
        """Make a store hold what these documents say: all of it, or nothing.

        A spec is the one with its id, else the one with its name in its namespace; without
        either, the one that says the same. What is there already is not written again.

        namespace: of the specs that name none; naming another is a problem then. origin: in
        place of the documents' files, for all of them or for each. Raises DocumentError with
        every problem of all documents, and StoreConflict for a spec whose `revision` is not the
        current one.
        """
        return await self._put(
            documents, namespace=namespace, origin=origin, prune=prune, dry_run=dry_run
        )

    async def create(
        self, data: Payload, *, namespace: str = "", origin: str = "", file: str = ""
    ) -> list[Change]:
        """Write specs that must not be there yet: one mapping or a list of them, parsed already.

        file: names the data in messages. Raises as `apply` does.
        """
        return await self._put(
            [examine_data(data, file=file)], namespace=namespace, origin=origin, want=Want.NEW
        )

    async def update(
        self, data: Payload, *, namespace: str = "", origin: str = "", file: str = ""
    ) -> list[Change]:
        """Change specs in part: each is laid over what is there, by RFC 7396 (null removes).

        Each names its spec by `id` or `name`. Raises as `apply` does, and EntryNotFound.
        """

        async def put(whole: Payload) -> list[Change]:
            return await self._put([examine_data(whole, file=file)], origin=origin)

        return await patch(self._shelf, data, put, namespace=namespace, file=file)

    async def delete(self, filters: Sequence[Filter]) -> list[Change]:
        """Delete every spec that any of the filters means: all of them, or none."""
        entries = await self._chosen(filters)
        changes = await self._shelf.remove(entries)
        return [
            msgspec.structs.replace(change, before=self._shelf.document(entry))
            for change, entry in zip(changes, entries, strict=True)
        ]

    async def withdraw(self, documents: Sequence[Examination], *, namespace: str = "") -> list[Change]:
        """Delete the specs that these documents say, as far as they are there.

        Raises DocumentError for documents in which they cannot be told.
        """
        drafts = [
            draft for document in documents for draft in draft_specs(document, namespace=namespace)
        ]
        problems = [problem for document in documents for problem in document.refusal().problems]
        if problems:
            raise DocumentError(problems)
        return await self._shelf.withdraw(drafts)

    async def history(self, key: str, *, namespace: str) -> list[StoredSpec]:
        """Every revision of the spec of this name or id, newest first. Raises EntryNotFound.

        A spec that was deleted is found by its id.
        """
        return list(map(StoredSpec.of, await self._shelf.history(key, namespace=namespace)))

    async def revision(self, key: str, revision: int, *, namespace: str) -> StoredSpec:
        """A spec as it was at one of its revisions. Raises EntryNotFound."""
        return StoredSpec.of(await self._shelf.revision(key, revision, namespace=namespace))

    async def between(self, key: str, old: int, new: int | None = None, *, namespace: str) -> Change:
        """What changed from one revision to another, or to the newest. Raises EntryNotFound."""
        return await self._shelf.between(key, old, new, namespace=namespace)

    async def rollback(self, key: str, revision: int, *, namespace: str) -> Change:
        """Write what a spec was at a revision, as a new one; of a deleted spec, too.

        Raises as `apply` does, and EntryNotFound when there is no such revision, or it was
        the deletion.
        """
        old = await self.revision(key, revision, namespace=namespace)
        if old.deleted:
            raise EntryNotFound(
                f"revision {revision} of `{key}` is its deletion",
                remedy="delete it, or name another revision",
            )
        whole = examine_data(old.document, file=f"{key} at revision {revision}")
        (change,) = await self._put([whole], origin=old.origin)
        return change

    async def _put(
        self,
        documents: Sequence[Examination],
        *,
        namespace: str = "",
        origin: str | Sequence[str] | None = None,
        prune: Prune = Prune.NOTHING,
        want: Want = Want.EITHER,
        dry_run: bool = False,
    ) -> list[Change]:
        origins = _for_each(origin, len(documents))
        drafts = [
            draft
            for examination, own in zip(documents, origins, strict=True)
            for draft in draft_specs(examination, namespace=namespace, origin=own)
        ]
        await self._check(documents, namespace)
        return await self._shelf.put(drafts, want=want, prune=prune, dry_run=dry_run)

    async def _check(self, documents: Sequence[Examination], namespace: str) -> None:
        """Raise DocumentError with every problem of all documents, if there is any."""
        flows = await self._flows([examination.document for examination in documents], namespace)
        checker = Checker(self._scheme, flows=flows, namespace=namespace)
        problems: list[Problem] = []
        for examination in documents:
            checker.check(examination.document, examination.findings)
            problems += examination.refusal().problems
        if problems:
            raise DocumentError(problems)

    async def _flows(self, documents: Sequence[Document], namespace: str) -> Flows:
        """The flows that may be called: those in the store, and over them those to be written."""
        found: dict[tuple[str, str], Callable[[], FlowSpec]] = {}
        given = [spec for document in documents for spec in document.specs]
        for own in dict.fromkeys(namespace or spec.namespace for spec in given):
            for stored in await self.read(namespace=own):
                if stored.kind == "flow":
                    found[own, stored.name] = partial(_flow, stored)
        for spec in given:
            if isinstance(spec, FlowSpec):
                found[namespace or spec.namespace, spec.name] = partial(_itself, spec)
        return found

    async def _chosen(self, filters: Sequence[Filter]) -> list[Entry]:
        entries = await self._shelf.entries(namespace=one_namespace(filters))
        return chosen(((entry, StoredSpec.of(entry).kind) for entry in entries), filters)


class _Plain:
    """Specs are kept as JSON, as they were written."""

    def encode(self, draft: Draft, id: str) -> bytes:  # noqa: A002, ARG002 - the codec's signature
        return msgspec.json.encode(draft.written)

    def decode(self, entry: Entry) -> dict[str, Any]:
        assert entry.content is not None
        document: dict[str, Any] = msgspec.json.decode(entry.content)
        return document


def _for_each(origin: str | Sequence[str] | None, count: int) -> Sequence[str | None]:
    return [origin] * count if origin is None or isinstance(origin, str) else origin


def _flow(stored: StoredSpec) -> FlowSpec:
    flows = examine_data(stored.document, file=stored.key).document.flows
    if not flows:
        raise ValueError(f"`{stored.key}` is no flow any more that can be read")
    return flows[0]


def _itself(flow: FlowSpec) -> FlowSpec:
    return flow
