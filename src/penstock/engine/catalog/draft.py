"""Drafts: documents as somebody wants them to be, and what becomes of each."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from penstock.core.problems import Place

Document = dict[str, Any]
"""A spec or a value as plain data."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A document that somebody wants to be there.

    written: what it says, without id, namespace and revision. id, name: empty when it has
    none. revision: the one that its writer saw, None when that is not said. place: where it
    stands, for messages.
    """

    namespace: str
    id: str = ""
    name: str = ""
    revision: int | None = None
    written: Document
    origin: str = ""
    place: Place

    @property
    def label(self) -> str:
        return f"`{self.name or self.id or 'a document without a name'}`"


class Action(StrEnum):
    """What becomes of a document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


class Want(StrEnum):
    """What the writer of drafts takes for granted."""

    EITHER = "either"
    """Nothing: what is there is updated, what is not is created."""
    NEW = "new"
    """None of them is there yet."""


class Prune(StrEnum):
    """What is deleted because it is not among the drafts."""

    NOTHING = "nothing"
    ORIGIN = "origin"
    """What was applied from the same origins before."""
    NAMESPACE = "namespace"
    """Everything else in the same namespaces."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document, or would become of it.

    revision: the one that it is at then. before, after: the document with its id and
    namespace, None where it was not there, or is not there any more.
    """

    action: Action
    id: str
    namespace: str
    name: str
    revision: int
    before: Document | None = None
    after: Document | None = None

    @property
    def key(self) -> str:
        return self.name or self.id

    def __repr__(self) -> str:
        """Without the documents: a value must not reach a log by accident."""
        return f"Change({self.action} {self.namespace}/{self.key}, revision={self.revision})"
