"""Screens of runs: the list, and one as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse

from penstock.api.runs import Cancel, Retry
from penstock.auth import Permission
from penstock.core.events import EventType
from penstock.core.record import RunRecord
from penstock.core.states import RunState
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.files import files_of
from penstock.host.api.runs import RunsQuery, cancel_run, list_runs, resume_run, retry_run
from penstock.host.api.submitted import read_form
from penstock.host.page.locks import asked
from penstock.host.page.rendering import render
from penstock.host.page.screen import Screens

if TYPE_CHECKING:
    from starlette.responses import Response

screens = Screens()

LINES = 200
"""How many of the newest lines that nodes said are shown at first."""

_PAGE = 50


@screens.get("/runs")
async def show_runs(call: Call) -> Response:
    given = call.request.query_params
    state = given.get("state", "")
    states = [RunState(state)] if state in set(RunState) else []
    query = RunsQuery(
        flow=given.get("flow", ""), state=states, cursor=given.get("cursor", ""), limit=_PAGE
    )
    page = await list_runs(call, query)
    return render("runs.html", call, runs=page.items, next=page.next, query=query, states=list(RunState))


@screens.get("/runs/{fid}")
async def show_run(call: Call, fid: str) -> Response:
    """A run. What it shows is brought up to date by static/live.js as events come."""
    row = await call.run(fid)
    events = await call.host.runtime.store.events(row.fid)
    record = RunRecord.fold(events, fid=row.fid)
    if record.state.terminal:  # it may have ended since we looked first
        row = await call.run(fid)
    notes = record.notes()
    return render(
        "run.html",
        call,
        run=msgspec.structs.replace(
            views.run_view(row, first=events[0], last=views.ended(events)), seq=record.seq
        ),
        launcher=call.host.directory.name_of(row.launcher) if row.launcher else "",
        inputs=record.inputs,
        result=views.result_view(row, views.ended(events)),
        nodes=[views.node_view(node) for node in record.nodes.values()],
        notes=notes[-LINES:],
        omitted=max(0, len(notes) - LINES),
        locks=[asked(call, row, lock) for lock in record.locks.values() if lock.open],
        files=await files_of(call, row),
        types=[str(each) for each in EventType],
        may_operate=call.may(Permission.OPERATE, flow=row.flow, launcher=row.launcher),
    )


@screens.post("/runs/{fid}/cancel")
async def cancel(call: Call, fid: str) -> Response:
    form = await read_form(call)
    await cancel_run(call, fid, Cancel(reason=str(form.get("reason", ""))))
    return _back(fid)


@screens.post("/runs/{fid}/resume")
async def resume(call: Call, fid: str) -> Response:
    await resume_run(call, fid)
    return _back(fid)


@screens.post("/runs/{fid}/retry")
async def retry(call: Call, fid: str) -> Response:
    form = await read_form(call)
    reply = await retry_run(call, fid, Retry(from_start="from_start" in form))
    return _back(reply.content.fid)


def _back(fid: str) -> Response:
    return RedirectResponse(f"/runs/{quote(fid)}", 303)
