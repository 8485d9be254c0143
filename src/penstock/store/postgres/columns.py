"""Batches as columns: one array for each parameter of `commit_batch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from penstock.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.core.store import RunChange, RunRow

_FIELDS: Final = ("state", "wake_at", "owner", "ended", "error", "locks")
"""What a change can set; the place of each is its bit."""


class Chunk(NamedTuple):
    """A row of `events`. blobs: digests with a space between, or None."""

    fid: str
    first: int
    last: int
    body: bytes
    blobs: str | None


def of_runs(runs: Iterable[RunRow]) -> list[Sequence[Any]]:
    return _turned([rows.to_columns(row) for row in runs], 15)


def of_chunks(chunks: list[Chunk]) -> list[Sequence[Any]]:
    *found, blobs = _turned(chunks, 5)
    # Nearly always there is none, and what is shorter is filled up by `unnest`. Each element counts:
    # the driver asks of all of them whether they are arrays themselves.
    return [*found, blobs if any(blobs) else ()]


def of_changes(changes: Iterable[RunChange]) -> list[Sequence[Any]]:
    return _turned([_change(change) for change in changes], 8)


def _change(change: RunChange) -> tuple[Any, ...]:
    fields, values = 0, []
    for place, name in enumerate(_FIELDS):
        value = getattr(change, name)
        if value is msgspec.UNSET:
            value = None
        else:
            fields |= 1 << place
            if name == "state":
                value = value.value
            elif name == "error":
                value = rows.well_formed(value)
        values.append(value)
    return (change.fid, fields, *values)


def _turned(found: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Rows as columns; as many columns when there is no row."""
    return list(zip(*found, strict=True)) if found else [()] * width
