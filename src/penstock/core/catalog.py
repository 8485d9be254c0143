"""The catalogue: specs, values and accounts by namespace, each with its history.

A store keeps contents without looking into them: the JSON of a spec, the sealed bytes of
a value, the record of a user. Every write is one more revision of its document, and one more
place in the change stream, which counts the writes of all namespaces and collections together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec


class Collection(StrEnum):
    """What kind of documents."""

    SPECS = "specs"
    VALUES = "values"
    USERS = "users"
    GROUPS = "groups"
    GRANTS = "grants"
    TOKENS = "tokens"


DOCUMENTS: Final = (Collection.SPECS, Collection.VALUES)
"""What people write as documents. The others are accounts, which the auth provider keeps."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A document at one of its revisions.

    id: names the document in its collection for good, whatever its name becomes.
    revision: counts the writes of this document, from 1. position: its place in the change
    stream. at: when it was written, in epoch seconds. origin: where it was applied from, or
    empty. content: the document, or None where this revision deleted it.
    """

    collection: Collection
    namespace: str
    id: str
    name: str
    revision: int
    position: int
    at: float
    origin: str = ""
    content: bytes | None = None

    @property
    def deleted(self) -> bool:
        return self.content is None


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A new revision of a document.

    content: None deletes the document. revision: the one that the writer saw, 0 when it
    saw none; the write is refused when it is not the current one any more. None: whatever
    is there is replaced.
    """

    collection: Collection
    namespace: str
    id: str
    name: str = ""
    content: bytes | None = None
    revision: int | None = None
    origin: str = ""


class RuntimeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a live runtime says of the specs of a namespace.

    owner: the runtime, by the name under which it owns runs. at: when it said so, in epoch
    seconds. body: what it says, which a store does not look into.
    """

    owner: str
    at: float
    body: bytes


class Catalog(Protocol):
    """What a store does with documents and accounts. Every method raises StoreError and nothing else."""

    async def write(self, writes: Sequence[Write], *, at: float) -> list[Entry]:
        """Write all or nothing, in one transaction; the entries as they are now, in that order.

        Deleting what is not there, without a revision, writes nothing and gives no entry. Raises
        StoreConflict, which names the first write at fault: its `revision` is not the current
        one, its `name` is taken by another live document of its namespace (a name that an
        earlier write of the same call frees is free), or its id belongs to another namespace.
        """
        ...

    async def entries(
        self, collection: Collection, *, namespace: str | None = None, keys: Sequence[str] = ()
    ) -> list[Entry]:
        """The live documents, by namespace, name and id; of all namespaces, or of one.

        keys: only those whose id or name is among these.
        """
        ...

    async def history(self, collection: Collection, id: str) -> list[Entry]:  # noqa: A002 - the field's word
        """Every revision of a document, the newest first; deletions are among them."""
        ...

    async def position(self) -> int:
        """The place of the newest change; 0 before the first."""
        ...

    def changes(self, *, after: int) -> AsyncIterator[list[Entry]]:
        """Everything written behind the place `after`, in order, and then whatever comes.

        Several writes may come as one list, never one as two; no list is empty. What another
        process wrote is here within 100 ms. The iterator never ends by itself; any number of
        them may follow at once. While the store cannot be reached it waits.
        """
        ...

    async def reseal(self, seal: Callable[[bytes], bytes]) -> int:
        """Replace the content of every revision of every value, in one transaction.

        Neither revisions nor places change: only the seal does. How many were resealed.
        """
        ...

    async def report(self, namespace: str, body: bytes, *, at: float) -> None:
        """Replace what this store's runtime says of a namespace; nothing at all withdraws it.

        It is no change: it has no place in the stream, and nobody is told of it.
        """
        ...

    async def reports(self, namespace: str) -> list[RuntimeReport]:
        """What live runtimes say of a namespace, by owner. A report ends with its runtime."""
        ...
