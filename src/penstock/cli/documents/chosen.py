"""Which documents of a namespace are meant by names and ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.core.errors import EntryNotFound

if TYPE_CHECKING:
    from penstock.core.catalog import Entry


def named(
    entries: Sequence[Entry], names: Sequence[str], collection: str, namespace: str
) -> list[Entry]:
    """The entries of these names or ids. Raises EntryNotFound with all that are not there."""
    by_key = {entry.id: entry for entry in entries}
    by_key |= {entry.name: entry for entry in entries if entry.name}
    missing = ", ".join(f"`{name}`" for name in names if name not in by_key)
    if missing:
        raise EntryNotFound(
            f"the namespace `{namespace}` has no {collection} {missing}; nothing was deleted",
            remedy=f"`penstock get {collection} -n {namespace}` lists them",
        )
    return list({by_key[name].id: by_key[name] for name in names}.values())
