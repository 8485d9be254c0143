"""Flows: what a host serves, and launching them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from penstock.api.flows import FlowView
from penstock.api.pages import Page
from penstock.api.runs import Launch, RunView
from penstock.auth import Permission
from penstock.auth.audit import Act
from penstock.core.payload import Payload
from penstock.core.policies import Record
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations, Reply
from penstock.host.api.runs import Wait, seen, waited
from penstock.host.api.submitted import submitted_inputs
from penstock.host.files.attaching import is_same
from penstock.host.problem import Refused
from penstock.host.views import flow_view, run_view

if TYPE_CHECKING:
    from penstock.core.store import RunRow
    from penstock.engine.flow import Flow
    from penstock.engine.run import Run

flows = Operations("flows")

_NO_FLOW: Final = "No flow has this name."
_LONGEST_KEY: Final = 200


class FlowsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """tag: only flows that have it. limit: flows of a page. cursor: `next` of the page before."""

    tag: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    cursor: str = ""


class LaunchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """wait: seconds that the answer may wait for the end of the run."""

    wait: Wait = 0.0


@flows.get("/flows")
async def list_flows(call: Call, query: FlowsQuery) -> Page[FlowView]:
    """List the flows that the host serves, by name."""
    found = [
        flow_view(served, call.host.namespace)
        for served in call.host.shelf
        if served.name > query.cursor and call.may(Permission.VIEW, flow=served.name)
    ]
    found = [view for view in found if not query.tag or query.tag in view.tags]
    page = found[: query.limit]
    return Page(items=page, next=page[-1].name if len(found) > len(page) else "")


@flows.get("/flows/{flow}", errors={404: _NO_FLOW})
async def show_flow(call: Call, flow: str) -> FlowView:
    """Show a flow: what it wants, and what it gives."""
    return flow_view(call.flow(flow), call.host.namespace)


@flows.post(
    "/flows/{flow}/runs",
    status=201,
    also={200: RunView},
    body=Launch,
    forms=True,
    headers={"Idempotency-Key": "Makes a repeated request launch one run only."},
    errors={
        404: _NO_FLOW,
        409: "The key was used for another launch, or the flow is broken.",
        422: "The inputs do not fit the flow.",
    },
)
async def launch_flow(call: Call, flow: str, query: LaunchQuery) -> Reply[RunView]:
    """Launch a flow: start a run.

    The run is on disk when the answer comes, and its id is valid at once. Inputs that are not
    sufficient open the run's first lock, which asks for the rest. A repeated request with the same
    `Idempotency-Key` gets the run that the first one launched, with status 200.
    """
    served = call.flow(flow, Permission.LAUNCH)
    if served.flow is None:
        raise Refused(409, f"the flow `{flow}` is broken: {served.reason}", kind="broken-flow")
    inputs = await submitted_inputs(call, served.flow)
    run = await launched(call, served.flow, inputs)
    if run.begun is not None and not query.wait:
        view = run_view(run.begun)
    else:
        view = await seen(call, await waited(call, await run.row(), query.wait))
    return Reply(view, 201 if run.fresh else 200, (("Location", view.links["self"]),))


async def launched(call: Call, flow: Flow, inputs: Mapping[str, Payload]) -> Run:
    """A new run, or the one that the request's key has launched before."""
    if flow.settings.record is Record.NONE:
        raise Refused(
            409,
            f"nothing of the runs of `{flow.name}` is recorded, so nobody could follow one here",
            kind="unrecorded-flow",
            remedy="let the flow say `settings: {record: effects}`, or nothing of it",
        )
    run = await call.host.launch(call.principal, flow, inputs, key=_key(call))
    if run.fresh:
        call.note(Act.RUN_LAUNCH, subject=run.fid, detail=flow.name)
    else:
        await _require_same(call, await run.row(), flow.name, inputs)
    return run


async def _require_same(call: Call, row: RunRow, flow: str, inputs: Mapping[str, Payload]) -> None:
    """Refuse a key that launched something else."""
    (first, *_) = await call.host.runtime.store.events(row.fid, limit=1)
    same = await is_same(call.host.uploads, call.principal.id, first.data, inputs)
    if row.flow != flow or not same:
        raise Refused(
            409,
            "this Idempotency-Key has launched another run, with other inputs or of another flow",
            kind="key-taken",
            remedy="use a new key for each launch, and the same one only to repeat it",
        )


def _key(call: Call) -> str:
    """The request's key, as the store keeps it: each principal has keys of its own."""
    given = call.request.headers.get("idempotency-key", "")
    if not given:
        return ""
    if len(given) > _LONGEST_KEY:
        raise Refused(400, f"the Idempotency-Key is longer than {_LONGEST_KEY} characters", kind="key")
    return hashlib.blake2b(f"{call.principal.id}\0{given}".encode(), digest_size=20).hexdigest()
