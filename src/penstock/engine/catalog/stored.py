"""Specs and values as a store holds them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from penstock.core.catalog import Entry
from penstock.core.payload import Payload

MASK: Final = "•••"
"""Stands for what a value holds, wherever nobody asked to see it."""


class StoredSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A spec at one of its revisions.

    document: the spec as it was written, with its id and namespace filled in; empty where
    this revision deleted it. kind: `flow` for a flow. position, at, origin: those of its entry.
    """

    id: str
    namespace: str
    name: str
    kind: str
    revision: int
    position: int
    at: float
    origin: str = ""
    deleted: bool = False
    document: dict[str, Any]

    @property
    def key(self) -> str:
        """How links refer to it: its name, else its id."""
        return self.name or self.id

    @classmethod
    def of(cls, entry: Entry) -> StoredSpec:
        """The spec that an entry holds."""
        written = {} if entry.content is None else msgspec.json.decode(entry.content)
        head = {"id": entry.id, "namespace": entry.namespace} if written else {}
        return cls(
            id=entry.id,
            namespace=entry.namespace,
            name=entry.name,
            kind=kind_of(written),
            revision=entry.revision,
            position=entry.position,
            at=entry.at,
            origin=entry.origin,
            deleted=entry.deleted,
            document=head | written,
        )


def kind_of(written: dict[str, Any]) -> str:
    """The kind of a spec as it was written; of what was deleted, none."""
    kind: str = written.get("kind", "flow") if written else ""
    return kind


class StoredValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value at one of its revisions.

    data: what it holds, or the same with `•••` for every secret. shown: which of the two.
    """

    id: str
    namespace: str
    name: str
    revision: int
    position: int
    at: float
    origin: str = ""
    deleted: bool = False
    annotations: dict[str, str] = {}
    data: Payload = None
    shown: bool = False

    def __repr__(self) -> str:
        """Without the data: a value must not reach a log by accident."""
        return f"StoredValue({self.namespace}/{self.name or self.id}, revision={self.revision})"


def masked(data: Payload) -> Payload:
    """The data with the keys that it has, and `•••` for what they hold."""
    return {key: masked(item) for key, item in data.items()} if isinstance(data, dict) else MASK


def masked_pair(before: Payload, after: Payload) -> tuple[Payload, Payload]:
    """Both sides of a change masked, so that it can be seen what changed but not to what."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = {
            key: masked_pair(before[key], after[key]) if key in before else (None, masked(after[key]))
            for key in after
        }
        gone = {key: masked(item) for key, item in before.items() if key not in after}
        old = gone | {key: pair[0] for key, pair in pairs.items() if key in before}
        return old, {key: pair[1] for key, pair in pairs.items()}
    if before == after:
        return MASK, MASK
    return masked(before), f"{MASK} (changed)" if not isinstance(after, dict) else masked(after)
