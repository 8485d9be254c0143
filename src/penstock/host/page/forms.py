"""Forms among the operations: what a client gets that asks for HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response  # noqa: TC002 - read from the hints

from penstock.api.locks import LockView
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.locks import NO_LOCK, find_lock
from penstock.host.api.operation import Operations
from penstock.host.page.flows import show_flow
from penstock.host.page.locks import show_lock as show_lock_screen

if TYPE_CHECKING:
    from starlette.requests import Request

forms = Operations("forms")

HTML: Final = "text/html"


@forms.get(
    "/flows/{flow}/form",
    produces={HTML: "The form that asks for the inputs."},
    errors={404: "No flow has this name."},
)
async def show_form(call: Call, flow: str) -> Response:
    """Show the form that a flow's inputs are asked for with."""
    return await show_flow(call, flow)


@forms.get(
    "/runs/{fid}/lock/{lid}",
    produces={HTML: "The form that asks for a candidate."},
    errors=NO_LOCK,
)
async def show_lock(call: Call, fid: str, lid: str) -> LockView | Response:
    """Show what a lock asks for: as a form to people, with the JSON Schema to programs."""
    if prefers_html(call.request):
        return await show_lock_screen(call, fid, lid)
    row = await call.run(fid)
    return views.lock_view(row, await find_lock(call, row.fid, lid))


def prefers_html(request: Request) -> bool:
    """Whether HTML is asked for and JSON is not, as browsers do."""
    accept = request.headers.get("accept", "")
    return HTML in accept and "json" not in accept
