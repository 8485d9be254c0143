"""Values of a store: variables and secrets, sealed wherever they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from penstock.core.catalog import Collection, Entry
from penstock.core.errors import DocumentError, EntryNotFound, SealError
from penstock.core.payload import Payload
from penstock.document.findings import Findings
from penstock.document.source import Source, place, take_data, without_text
from penstock.engine.catalog.draft import Change, Document, Draft, Prune, Want
from penstock.engine.catalog.filters import Filter, chosen, one_namespace
from penstock.engine.catalog.patching import patch
from penstock.engine.catalog.shelf import Shelf
from penstock.engine.catalog.stored import StoredValue, masked, masked_pair
from penstock.engine.catalog.value_documents import draft_values

if TYPE_CHECKING:
    from penstock.core.catalog import Catalog
    from penstock.core.clock import Clock
    from penstock.core.problems import Problem


class Vault(Protocol):
    """Seals what nobody else should read. Both methods raise SealError and SettingsError."""

    def seal(self, content: bytes) -> bytes: ...

    def open(self, sealed: bytes) -> bytes: ...


class Values:
    """The values of a store. What they hold is shown only to those who say `reveal`."""

    def __init__(self, store: Catalog, *, vault: Vault, clock: Clock | None = None) -> None:
        self._codec = _Sealing(vault)
        self._shelf = Shelf(store, Collection.VALUES, self._codec, clock=clock)

    async def read(
        self, *, namespace: str | None = None, keys: Sequence[str] = (), reveal: bool = False
    ) -> list[StoredValue]:
        """The values of a namespace, or of all; with `keys` those of these names and ids.

        Raises SealError for one that cannot be opened.
        """
        entries = await self._shelf.entries(namespace=namespace, keys=keys)
        return [self._stored(entry, reveal=reveal) for entry in entries]

    async def find(self, filters: Sequence[Filter], *, reveal: bool = False) -> list[StoredValue]:
        """The values that any of the filters means."""
        return [self._stored(entry, reveal=reveal) for entry in await self._chosen(filters)]

    async def one(self, key: str, *, namespace: str, reveal: bool = False) -> StoredValue:
        """The value of this name or id. Raises EntryNotFound."""
        return self._stored(await self._shelf.one(key, namespace=namespace), reveal=reveal)

    async def payloads(self, namespace: str) -> dict[str, Payload]:
        """What the values of a namespace hold, by name and by id, as `env` refers to them."""
        values = await self.read(namespace=namespace, reveal=True)
        by_id = {value.id: value.data for value in values}
        return by_id | {value.name: value.data for value in values if value.name}

    async def apply(
        self,
        documents: Sequence[Source],
        *,
        namespace: str = "",
        origin: str | None = None,
        prune: Prune = Prune.NOTHING,
        dry_run: bool = False,
        reveal: bool = False,
    ) -> list[Change]:
        """Make a store hold the values that these documents say: all of them, or nothing.

        The rules, parameters and errors are those for specs. The changes show keys only,
        unless they are asked to reveal.
        """
        changes = await self._put(
            documents, namespace=namespace, origin=origin, prune=prune, dry_run=dry_run
        )
        return changes if reveal else list(map(_hidden, changes))

    async def create(
        self, data: Payload, *, namespace: str = "", origin: str = "", file: str = ""
    ) -> list[Change]:
        """Write values that must not be there yet; `data` as a document would say them."""
        source = take_data(data, Findings(), file=file)
        changes = await self._put([source], namespace=namespace, origin=origin, want=Want.NEW)
        return list(map(_hidden, changes))

    async def update(
        self, data: Payload, *, namespace: str = "", origin: str = "", file: str = ""
    ) -> list[Change]:
        """Change values in part: each is laid over what is there, by RFC 7396 (null removes).

        Each names its value by `id` or `name`. Raises as `apply` does, and EntryNotFound.
        """

        async def put(whole: Payload) -> list[Change]:
            return await self._put([take_data(whole, Findings(), file=file)], origin=origin)

        changes = await patch(self._shelf, data, put, namespace=namespace, file=file)
        return list(map(_hidden, changes))

    async def delete(self, filters: Sequence[Filter]) -> list[Change]:
        """Delete every value that any of the filters means: all of them, or none.

        It needs no key: what nobody can open any more can be deleted.
        """
        return await self._shelf.remove(await self._chosen(filters))

    async def withdraw(self, documents: Sequence[Source], *, namespace: str = "") -> list[Change]:
        """Delete the values that these documents say, as far as they are there."""
        return await self._shelf.withdraw(_drafts(documents, namespace=namespace, origin=None))

    async def history(self, key: str, *, namespace: str, reveal: bool = False) -> list[StoredValue]:
        """Every revision of the value of this name or id, newest first. Raises EntryNotFound."""
        entries = await self._shelf.history(key, namespace=namespace)
        return [self._stored(entry, reveal=reveal) for entry in entries]

    async def between(
        self, key: str, old: int, new: int | None = None, *, namespace: str, reveal: bool = False
    ) -> Change:
        """What changed from one revision to another, or to the newest. Raises EntryNotFound."""
        change = await self._shelf.between(key, old, new, namespace=namespace)
        return change if reveal else _hidden(change)

    async def rollback(self, key: str, revision: int, *, namespace: str) -> Change:
        """Write what a value was at a revision, as a new one. Raises EntryNotFound."""
        entry = await self._shelf.revision(key, revision, namespace=namespace)
        if entry.deleted:
            raise EntryNotFound(
                f"revision {revision} of `{key}` is its deletion",
                remedy="delete it, or name another revision",
            )
        source = take_data([self._shelf.document(entry)], Findings(), file=key)
        (change,) = await self._put([source], origin=entry.origin)
        return _hidden(change)

    async def _put(
        self,
        documents: Sequence[Source],
        *,
        namespace: str = "",
        origin: str | None = None,
        prune: Prune = Prune.NOTHING,
        want: Want = Want.EITHER,
        dry_run: bool = False,
    ) -> list[Change]:
        drafts = _drafts(documents, namespace=namespace, origin=origin)
        return await self._shelf.put(drafts, want=want, prune=prune, dry_run=dry_run)

    async def _chosen(self, filters: Sequence[Filter]) -> list[Entry]:
        entries = await self._shelf.entries(namespace=one_namespace(filters))
        return chosen(((entry, "") for entry in entries), filters)

    def _stored(self, entry: Entry, *, reveal: bool) -> StoredValue:
        document = {} if entry.deleted else self._codec.decode(entry)
        data = document.get("data")
        return StoredValue(
            id=entry.id,
            namespace=entry.namespace,
            name=entry.name,
            revision=entry.revision,
            position=entry.position,
            at=entry.at,
            origin=entry.origin,
            deleted=entry.deleted,
            annotations=document.get("annotations", {}),
            data=data if reveal or entry.deleted else masked(data),
            shown=reveal,
        )


class _Sealed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is inside a seal.

    Id, namespace and name are in there too, so that a sealed value which was moved to
    another place is found out when it is opened.
    """

    id: str
    namespace: str
    document: dict[str, Any]


class _Sealing:
    """Values are kept as sealed JSON."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def encode(self, draft: Draft, id: str) -> bytes:  # noqa: A002 - the field's word
        sealed = _Sealed(id, draft.namespace, draft.written)
        return self._vault.seal(msgspec.json.encode(sealed))

    def decode(self, entry: Entry) -> Document:
        assert entry.content is not None
        label = f"the value `{entry.name or entry.id}` of the namespace `{entry.namespace}`"
        try:
            sealed = msgspec.json.decode(self._vault.open(entry.content), type=_Sealed)
        except SealError as error:
            raise SealError(f"{label}: {error.message}", key=error.key, remedy=error.remedy) from error
        name = sealed.document.get("name", "")
        if (sealed.id, sealed.namespace, name) != (entry.id, entry.namespace, entry.name):
            raise SealError(
                f"{label} is not the one that was sealed: that is `{name}` of `{sealed.namespace}`",
                remedy="the store was changed by hand; delete the value, and apply it again",
            )
        return sealed.document


def _drafts(documents: Sequence[Source], *, namespace: str, origin: str | None) -> list[Draft]:
    """The drafts of all documents. Raises DocumentError with everything that is wrong."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for source in documents:
        findings = Findings()
        drafts += draft_values(source, findings, namespace=namespace, origin=origin)
        problems += [*place(findings.problems, source), *findings.omitted()]
    if problems:
        raise DocumentError(without_text(problems))
    return drafts


def _hidden(change: Change) -> Change:
    """The change without what the value holds, or held."""
    before, after = change.before or {}, change.after or {}
    old, new = masked_pair(before.get("data"), after.get("data"))
    return msgspec.structs.replace(
        change,
        before=before | {"data": old} if before else None,
        after=after | {"data": new} if after else None,
    )
