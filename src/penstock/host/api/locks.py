"""Locks: what runs wait for, and answering it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.api.locks import DecisionView, LockView
from penstock.api.pages import Page
from penstock.api.problem import Fault
from penstock.auth import Permission
from penstock.core.errors import LockNotFound
from penstock.core.store import RunQuery
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations
from penstock.host.api.submitted import submitted_candidate
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from penstock.core.record import LockRecord

locks = Operations("locks")

INBOX: Final = 1000
"""How many runs with open locks an inbox looks at."""

_NO_LOCK: Final = {404: "No run has this id, or no lock of it."}


@locks.get("/locks")
async def list_inbox(call: Call) -> Page[LockView]:
    """List the open locks that one may answer, those that were opened first in front."""
    runtime = call.host.runtime
    query = RunQuery(namespace=call.host.namespace, locked=True, sight=call.sight, limit=INBOX)
    found: list[LockView] = []
    for row in await runtime.runs(query):
        if call.may(Permission.OPERATE, flow=row.flow, launcher=row.launcher):
            found += [views.lock_view(row, lock) for lock in await runtime.locks(row.fid) if _open(lock)]
    return Page(items=sorted(found, key=lambda lock: (lock.opened, lock.fid, lock.lid)))


@locks.get("/runs/{fid}/locks", errors={404: "No run has this id."})
async def list_locks(call: Call, fid: str) -> Page[LockView]:
    """List the locks of a run, those that are not open any more among them."""
    row = await call.run(fid)
    return Page(items=[views.lock_view(row, lock) for lock in await call.host.runtime.locks(row.fid)])


@locks.get("/runs/{fid}/lock/{lid}", errors=_NO_LOCK)
async def show_lock(call: Call, fid: str, lid: str) -> LockView:
    """Show what a lock asks for."""
    row = await call.run(fid)
    return views.lock_view(row, await _lock(call, row.fid, lid))


@locks.post(
    "/runs/{fid}/lock/{lid}/candidate",
    body=Any,
    forms=True,
    headers={"Idempotency-Key": "Makes a repeated request submit one candidate only."},
    errors={
        **_NO_LOCK,
        403: "It needs the permission `operate` on the flow's events.",
        410: "The lock was released by another candidate, has expired, or its run has ended.",
        422: "The candidate does not fit the schema, or the flow denied it. Submit another.",
        504: "The flow did not decide in time. The candidate is kept, and may still be released.",
    },
)
async def submit_candidate(call: Call, fid: str, lid: str) -> DecisionView:
    """Submit a candidate for a lock, and answer what the flow makes of it."""
    row = await call.run(fid, Permission.OPERATE)
    lock = await _lock(call, row.fid, lid)
    value = await submitted_candidate(call, lock.schema)
    key = call.request.headers.get("idempotency-key", "")
    decision = await call.host.runtime.submit(
        row.fid, lid, value, by=call.principal.id, id=key and f"{call.principal.id}:{key}"
    )
    if decision.outcome == "denied":
        faults = [Fault(detail=each.detail, pointer=each.pointer) for each in decision.reasons]
        text = "; ".join(map(str, decision.reasons)) or "the flow denied the candidate"
        raise Refused(422, text, kind="lock-denied", remedy="submit another", faults=faults)
    return DecisionView(outcome="released", lid=lid, fid=row.fid, value=views.plain(decision.value))


async def _lock(call: Call, fid: str, lid: str) -> LockRecord:
    for lock in await call.host.runtime.locks(fid):
        if lock.lid == lid:
            return lock
    raise LockNotFound("the run has no lock with this id", remedy="GET …/locks lists them")


def _open(lock: LockRecord) -> bool:
    return str(lock.state) == "open"
