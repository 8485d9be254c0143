"""Finding runs: by an abbreviated id, or by what became of them."""

from __future__ import annotations

from typing import Protocol

from penstock.core.errors import RunNotFound
from penstock.core.states import RunState
from penstock.core.store import RunQuery, RunRow, Store

NEWEST = ("@", "last")
UNFINISHED = (RunState.PENDING, RunState.RUNNING, RunState.WAITING)
_PAGE = 1000


class Runs(Protocol):
    """Where runs can be found: a store, or a desk."""

    async def run(self, fid: str) -> RunRow | None: ...

    async def runs(self, query: RunQuery, /) -> list[RunRow]: ...


async def find_run(runs: Runs, fid: str) -> RunRow:
    """The run that an id, its beginning, its end, or `@` for the newest one means.

    Raises RunNotFound when none or several fit.
    """
    if fid in NEWEST:
        newest = await runs.runs(RunQuery(limit=1))
        if not newest:
            raise RunNotFound("there are no runs yet", remedy="start one with `penstock run FILE`")
        return newest[0]
    row = await runs.run(fid)
    if row is not None:
        return row
    found = await _fitting(runs, fid) if fid else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise RunNotFound(f"no run has the id `{fid}`", remedy="`penstock runs ls` lists them")
    some = ", ".join(row.fid for row in found[:5]) + (", …" if len(found) > 5 else "")
    raise RunNotFound(f"`{fid}` fits {len(found)} runs: {some}", remedy="give more of the id")


async def _fitting(runs: Runs, part: str) -> list[RunRow]:
    """The runs whose id begins or ends like this; upper and lower case are the same."""
    part, found, before = part.casefold(), [], ""
    while True:
        page = await runs.runs(RunQuery(before=before, limit=_PAGE))
        for row in page:
            fid = row.fid.casefold()
            if fid.startswith(part) or fid.endswith(part):
                found.append(row)
        if len(page) < _PAGE:
            return found
        before = page[-1].fid


async def orphans(store: Store) -> list[RunRow]:
    """Unfinished runs that no live process executes, newest first."""
    rows = await store.runs(RunQuery(states=UNFINISHED))
    alive = {owner: bool(owner) and await store.alive(owner) for owner in {row.owner for row in rows}}
    return [row for row in rows if not alive[row.owner]]
