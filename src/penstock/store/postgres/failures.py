"""The one place where the errors of PostgreSQL and of the way to it become StoreErrors."""

from __future__ import annotations

from typing import Any, Final

from penstock.core.errors import (
    PenstockError,
    StoreAway,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreLost,
)

LOST: Final = "PN001"
OF_ANOTHER: Final = "PN002"
UNKNOWN_RUN: Final = "PN003"
"""What the functions of the migrations raise."""

_FULL: Final = frozenset({"53100", "53200", "53400"})
_LOCKED: Final = frozenset({"55P03", "40P01", "57014", "25P03", "40001"})
_CORRUPT: Final = frozenset({"XX001", "XX002"})
_AWAY: Final = frozenset({"57P01", "57P02", "57P03", "53300"})

_REMEDIES: Final = {
    "28": "check user and password: PGPASSWORD, ~/.pgpass, and pg_hba.conf of the server",
    "3D000": "create it first: `createdb NAME`",
    "42501": "let its owner grant the rights: `GRANT CREATE ON DATABASE …`, and all on the schema",
    "25006": "name the primary server: this one only reads",
    "22021": "decode bytes before they become the name of a flow or the id of a run",
    "54000": "keep what is larger than 1 GB in a file, and pass its path on",
}


def store_error(error: Exception, shown: str) -> PenstockError:
    """The StoreError that tells this failure of the database at the address `shown`."""
    state: Any = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return _unreachable(error, shown)
    if state == LOST:
        return lost()
    if state in (OF_ANOTHER, UNKNOWN_RUN):
        fid = getattr(error, "detail", None) or ""
        return of_another(fid) if state == OF_ANOTHER else unknown_run(fid)
    said = getattr(error, "message", None) or str(error)
    if state in _FULL:
        return StoreFull(
            f"the database {shown} cannot grow: {said}",
            remedy="free space or memory on its server, then resume: what was committed is kept",
        )
    if state in _LOCKED:
        return StoreLocked(
            f"the database {shown} is locked for too long: {said}",
            remedy="see who holds it in pg_stat_activity, then try again",
        )
    if state in _CORRUPT:
        return StoreCorrupt(
            f"the database {shown} is damaged: {said}", remedy="restore it from a backup"
        )
    if state in _AWAY or state.startswith("08"):
        return _unreachable(error, shown)
    remedy = _REMEDIES.get(state) or _REMEDIES.get(state[:2], "what was committed is kept")
    return StoreError(f"the database {shown} cannot be used: {said} ({state})", remedy=remedy)


def lost(fid: str = "") -> StoreLost:
    which = f"run {fid}" if fid else "its runs"
    return StoreLost(
        f"this runtime was taken for dead and lost {which} to others: it was not heard of for "
        "longer than its lease",
        fid=fid,
        remedy="nothing is lost: whoever claims a run goes on with it; look why this process was "
        "paused or could not reach the database",
    )


def of_another(fid: str) -> StoreLost:
    return StoreLost(
        f"run {fid} is executed by another runtime",
        fid=fid,
        remedy=f"`penstock runs watch {fid}` follows it",
    )


def unknown_run(fid: str) -> StoreError:
    return StoreError(f"run {fid} is not there, so nothing of it can be written", fid=fid)


def out_of_step(fid: str, seq: int, last: int) -> StoreError:
    return StoreError(
        f"event {seq} of run {fid} does not follow event {last}, its last on disk",
        fid=fid,
        remedy="another process executes this run; read it again, or claim it",
    )


def _unreachable(error: Exception, shown: str) -> StoreError:
    said = str(error) or type(error).__name__
    return StoreAway(
        f"the database {shown} cannot be reached: {said}",
        remedy="see that the server runs and answers there; what was committed is kept",
    )
