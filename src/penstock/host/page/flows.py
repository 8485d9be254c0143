"""Screens of flows: the list, and one with its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import RedirectResponse

from penstock.auth import Permission
from penstock.core.errors import InputError
from penstock.core.store import RunQuery
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.flows import FlowsQuery, launched, list_flows
from penstock.host.api.submitted import read_form
from penstock.host.forms import SchemaForm
from penstock.host.page.rendering import render
from penstock.host.page.screen import Screens
from penstock.host.problem import problem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from penstock.api.problem import Fault
    from penstock.host.shelf import Served

screens = Screens()

_RECENT = 10
"""How many of its runs the screen of a flow shows."""


@screens.get("/")
async def show_start(_: Call) -> Response:
    return RedirectResponse("/flows", 303)


@screens.get("/flows")
async def show_flows(call: Call) -> Response:
    page = await list_flows(call, FlowsQuery(limit=1000))
    return render("flows.html", call, flows=page.items)


@screens.get("/flows/{flow}")
async def show_flow(call: Call, flow: str) -> Response:
    served = call.flow(flow)
    form = None if served.flow is None else SchemaForm(served.flow.input_schema)
    return await _flow(call, served, form)


@screens.post("/flows/{flow}")
async def launch_flow(call: Call, flow: str) -> Response:
    """Launch it with what the form says; what is wrong stands beside the questions."""
    served = call.flow(flow, Permission.LAUNCH)
    if served.flow is None:
        return await _flow(call, served, None, status=409)
    form = SchemaForm(served.flow.input_schema)
    reading = form.read(await read_form(call, files=True))
    if reading.faults:
        return await _flow(call, served, form, status=422)
    try:
        served.flow.accept(reading.value)  # a person who sees the form wants no lock for the rest
        run = await launched(call, served.flow, reading.value)
    except InputError as error:
        return await _flow(call, served, form, faults=problem_of(error).errors, status=422)
    return RedirectResponse(f"/runs/{quote(run.fid)}", 303)


async def _flow(
    call: Call,
    served: Served,
    form: SchemaForm | None,
    *,
    faults: Sequence[Fault] = (),
    status: int = 200,
) -> Response:
    if form is not None:
        form.blame(faults, below="/inputs")
    query = RunQuery(namespace=call.host.namespace, flow=served.name, sight=call.sight, limit=_RECENT)
    rows = await call.host.runtime.runs(query)
    facts: dict[str, Any] = {
        "flow": views.flow_view(served, call.host.namespace),
        "form": form,
        "may_launch": call.may(Permission.LAUNCH, flow=served.name),
        "runs": [views.run_view(row) for row in rows],
    }
    return render("flow.html", call, status=status, **facts)
