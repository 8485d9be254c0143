"""Locks: what runs wait for, and answering it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.api.locks import DecisionView, LockView
from penstock.api.pages import Page
from penstock.api.problem import Fault
from penstock.auth import Permission
from penstock.auth.audit import Act
from penstock.core.errors import LockNotFound
from penstock.core.payload import Payload
from penstock.core.store import RunQuery
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations
from penstock.host.api.submitted import submitted_candidate
from penstock.host.files.attaching import Attaching
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from penstock.core.locks import LockRecord
    from penstock.core.store import RunRow

locks = Operations("locks")

INBOX: Final = 1000
"""How many runs with open locks an inbox looks at."""

NO_LOCK: Final = {404: "No run has this id, or no lock of it."}


@locks.get("/locks")
async def list_inbox(call: Call) -> Page[LockView]:
    """List the open locks that one may answer, those that were opened first in front."""
    return Page(items=[views.lock_view(row, lock) for row, lock in await inbox(call)])


@locks.get("/runs/{fid}/locks", errors={404: "No run has this id."})
async def list_locks(call: Call, fid: str) -> Page[LockView]:
    """List the locks of a run, those that are not open any more among them."""
    row = await call.run(fid)
    return Page(items=[views.lock_view(row, lock) for lock in await call.host.runtime.locks(row.fid)])


@locks.post(
    "/runs/{fid}/lock/{lid}/candidate",
    body=Any,
    forms=True,
    headers={"Idempotency-Key": "Makes a repeated request submit one candidate only."},
    errors={
        **NO_LOCK,
        403: "It needs the permission `operate` on the flow's events.",
        410: "The lock was released by another candidate, has expired, or its run has ended.",
        422: "The candidate does not fit the schema, or the flow denied it. Submit another.",
        504: "The flow did not decide in time. The candidate is kept, and may still be released.",
    },
)
async def submit_candidate(call: Call, fid: str, lid: str) -> DecisionView:
    """Submit a candidate for a lock, and answer what the flow makes of it."""
    row = await call.run(fid, Permission.OPERATE)
    lock = await find_lock(call, row.fid, lid)
    return await submit(call, row, lock, await submitted_candidate(call, lock.schema))


# --- what the page does as well -----------------------------------------------------


async def inbox(call: Call) -> list[tuple[RunRow, LockRecord]]:
    """The open locks that who asks may answer, with their runs; the oldest first."""
    query = RunQuery(namespace=call.host.namespace, sight=call.sight, limit=INBOX)
    found = [
        (row, lock)
        for row, lock in await call.host.runtime.open_locks(query)
        if call.may(Permission.OPERATE, flow=row.flow, launcher=row.launcher)
    ]
    return sorted(found, key=lambda pair: (pair[1].opened, pair[0].fid))


async def find_lock(call: Call, fid: str, lid: str) -> LockRecord:
    """A lock of a run. Raises LockNotFound."""
    for lock in await call.host.runtime.locks(fid):
        if lock.lid == lid:
            return lock
    raise LockNotFound("the run has no lock with this id", remedy="GET …/locks lists them")


async def submit(call: Call, row: RunRow, lock: LockRecord, value: Payload) -> DecisionView:
    """Submit a candidate. Raises Refused with status 422 when the flow denies it."""
    if lock.schema:
        folder = call.host.runtime.folders.of(row.fid)
        attaching = Attaching(call.host.uploads, call.principal.id)
        value = await attaching.bring(lock.schema, value, folder)
    key = call.request.headers.get("idempotency-key", "")
    decision = await call.host.runtime.submit(
        row.fid,
        lock.lid,
        value,
        by=call.principal.id,
        id=f"{call.principal.id}:{key}" if key else "",
    )
    subject = f"{row.fid}/{lock.lid}"
    call.note(Act.LOCK_SUBMIT, subject=subject, detail=decision.outcome)
    if not decision.released:
        faults = [Fault(detail=each.detail, pointer=each.pointer) for each in decision.reasons]
        text = "; ".join(map(str, decision.reasons)) or "the flow denied the candidate"
        raise Refused(422, text, kind="lock-denied", remedy="submit another", faults=faults)
    value = views.plain(decision.value)
    return DecisionView(outcome=decision.outcome, lid=lock.lid, fid=row.fid, value=value)
