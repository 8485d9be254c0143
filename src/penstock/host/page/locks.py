"""Screens of locks: the inbox, and one with its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse

from penstock.api.locks import LockView
from penstock.auth import Permission
from penstock.core.errors import PenstockError
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.locks import find_lock, inbox, submit
from penstock.host.api.submitted import read_form
from penstock.host.forms import SchemaForm
from penstock.host.page.rendering import render
from penstock.host.page.screen import Screens, told
from penstock.host.problem import problem_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from penstock.core.locks import LockRecord
    from penstock.core.store import RunRow

screens = Screens()


class Asked(msgspec.Struct, frozen=True):
    """An open lock and the form that answers it. may_answer: whether who sees it may do so."""

    lock: LockView
    form: SchemaForm
    may_answer: bool = True


def asked(call: Call, row: RunRow, lock: LockRecord) -> Asked:
    """A lock of a run with its form."""
    may = call.may(Permission.OPERATE, flow=row.flow, launcher=row.launcher)
    return Asked(views.lock_view(row, lock), _form(lock), may)


@screens.get("/inbox")
async def show_inbox(call: Call) -> Response:
    found = [asked(call, row, lock) for row, lock in await inbox(call)]
    return render("inbox.html", call, asked=found)


@screens.get("/runs/{fid}/lock/{lid}")
async def show_lock(call: Call, fid: str, lid: str) -> Response:
    row = await call.run(fid)
    return render("lock.html", call, each=asked(call, row, await find_lock(call, row.fid, lid)))


@screens.post("/runs/{fid}/lock/{lid}")
async def answer_lock(call: Call, fid: str, lid: str) -> Response:
    """Submit what the form says. What the flow denies is told, and can be answered again."""
    row = await call.run(fid, Permission.OPERATE)
    lock = await find_lock(call, row.fid, lid)
    form = _form(lock)
    reading = form.read(await read_form(call, files=True))
    if not reading.faults:
        try:
            await submit(call, row, lock, reading.value)
        except PenstockError as error:
            problem = problem_of(error, call.request.url.path)
            if problem.status != 422:
                return told(call, problem)
            form.blame(problem.errors)
        else:
            return RedirectResponse(f"/runs/{quote(row.fid)}", 303)
    facts: dict[str, Any] = {"each": Asked(views.lock_view(row, lock), form)}
    return render("lock.html", call, status=422, **facts)


def _form(lock: LockRecord) -> SchemaForm:
    return SchemaForm(lock.schema or {}, value=_proposed(lock))


def _proposed(lock: LockRecord) -> Any:
    """What is known of the answer already: the initial lock shows the inputs that were given."""
    return lock.data if lock.name == "inputs" and not lock.node else None
