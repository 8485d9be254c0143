"""Rows of the `runs` table, as the structs of core/store.py and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.states import RunState
from penstock.core.store import RunChange, RunRow, Sight
from penstock.store import statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.core.store import RunQuery

LAST_FID: Final = "\U0010ffff"
"""Sorts behind every fid."""

_CHANGEABLE: Final = tuple(name for name in RunChange.__struct_fields__ if name != "fid")


def to_columns(row: RunRow) -> tuple[Any, ...]:
    """The parameters of INSERT_RUN. `seq` has no column: the stream knows it."""
    return (
        row.fid,
        row.flow,
        row.source,
        row.revision,
        row.state.value,
        row.wake_at,
        row.owner,
        row.started,
        row.ended,
        well_formed(row.error),
        row.namespace,
        row.launcher,
        row.executor,
        row.key,
        row.locks,
    )


def from_columns(found: Iterable[tuple[Any, ...]], *, owner: str | None = None) -> list[RunRow]:
    """The rows of SELECT_RUNS, owned by `owner` if that is given.

    Equal text is shared between rows: a recovery reads a hundred thousand of them.
    """
    shared: dict[str, str] = {}
    return [
        RunRow(
            fid=fid,
            flow=shared.setdefault(flow, flow),
            source=shared.setdefault(source, source),
            revision=shared.setdefault(revision, revision),
            state=RunState(state),
            wake_at=wake_at,
            owner=shared.setdefault(old, old) if owner is None else owner,
            started=started,
            ended=ended,
            error=error,
            namespace=shared.setdefault(namespace, namespace),
            launcher=shared.setdefault(launcher, launcher),
            executor=shared.setdefault(executor, executor),
            key=key,
            locks=locks,
            seq=seq,
        )
        for (
            fid, flow, source, revision, state, wake_at, old, started, ended, error,
            namespace, launcher, executor, key, locks, seq,
        ) in found
    ]  # fmt: skip


def update(change: RunChange) -> tuple[str, tuple[Any, ...]] | None:
    """The statement for a change and its parameters, or None when nothing is set.

    Changes that set the same fields share one statement, for `executemany`.
    """
    fields = tuple(name for name in _CHANGEABLE if getattr(change, name) is not msgspec.UNSET)
    if not fields:
        return None
    values = [getattr(change, name) for name in fields]
    if "error" in fields:
        where = fields.index("error")
        values[where] = well_formed(values[where])
    return statements.update_run(fields), (*values, change.fid)


def findable(query: RunQuery) -> bool:
    """Whether any run can be what a query asks for: strangers may ask for any text."""
    sight = query.sight or Sight()
    texts = (query.namespace, query.flow, query.launcher, query.before)
    return all(map(is_well_formed, (*texts, sight.launcher, *sight.flows, *sight.namespaces)))


def is_well_formed(text: str) -> bool:
    """Whether a text can be in a store as it is."""
    return text == well_formed(text)


def well_formed(text: str) -> str:
    """The text with U+FFFD where it is no Unicode, as file names and output may not be.

    A run must be able to end whatever went wrong, so its error is never refused for this.
    PostgreSQL keeps no NUL in a text, so no store does.
    """
    text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
