"""Runs: looking at them, waiting for them, ending them, and going on."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from penstock.api.pages import Page
from penstock.api.runs import Cancel, ChildView, GraphView, NodeView, ResultView, Retry, RunView
from penstock.auth import Permission
from penstock.auth.audit import Act
from penstock.core.errors import EntryNotFound, RunError, RunNotFound
from penstock.core.problems import suggest
from penstock.core.record import RunRecord
from penstock.core.spec import from_document
from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.host import views
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations, Reply

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.core.spec import FlowSpec
    from penstock.core.store import RunRow

runs = Operations("runs")

WAIT_SECONDS: Final = 60.0
"""An answer waits no longer than this for the end of a run; who still waits asks again."""

Wait = Annotated[float, msgspec.Meta(ge=0, le=WAIT_SECONDS)]

_NO_RUN: Final = {404: "No run has this id."}
_OPERATE: Final = {**_NO_RUN, 403: "It needs the permission `operate` on the flow's events."}


class RunsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """flow, launcher: of these alone. state: of these states. since, until: when they started.
    limit: runs of a page. cursor: `next` of the page before.
    """

    flow: str = ""
    state: list[RunState] = []
    launcher: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    cursor: str = ""


class ResultQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """wait: seconds that the answer may wait for the end of the run."""

    wait: Wait = 0.0


class NodeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """path: of the firing, such as `each[3]/parse`."""

    path: str


@runs.get("/runs")
async def list_runs(call: Call, query: RunsQuery) -> Page[RunView]:
    """List runs, newest first."""
    wanted = RunQuery(
        namespace=call.host.namespace,
        flow=query.flow,
        states=tuple(query.state),
        launcher=call.host.directory.id_of(query.launcher) if query.launcher else "",
        since=None if query.since is None else query.since.timestamp(),
        until=None if query.until is None else query.until.timestamp(),
        sight=call.sight,
        before=query.cursor,
        limit=query.limit + 1,
    )
    rows = await call.host.runtime.runs(wanted)
    page = rows[: query.limit]
    items = [views.run_view(row) for row in page]
    return Page(items=items, next=page[-1].fid if len(rows) > len(page) else "")


@runs.get("/runs/{fid}", errors=_NO_RUN)
async def show_run(call: Call, fid: str) -> RunView:
    """Show a run: its state, and the locks that it waits for."""
    return await seen(call, await call.run(fid))


@runs.get("/runs/{fid}/inputs", errors=_NO_RUN)
async def show_inputs(call: Call, fid: str) -> dict[str, Any]:
    """Show what a run was launched with."""
    row = await call.run(fid)
    (first, *_) = await call.host.runtime.store.events(row.fid, limit=1)
    inputs: dict[str, Any] = first.data.get("inputs", {})
    return inputs


@runs.get("/runs/{fid}/result", also={202: ResultView}, errors=_NO_RUN)
async def show_result(call: Call, fid: str, query: ResultQuery) -> Reply[ResultView]:
    """Show how a run ended; 202 while it has not.

    A run that failed, or was cancelled, has ended as well: its state and its error say so.
    """
    row = await waited(call, await call.run(fid), query.wait)
    last = await _last(call, row)
    return Reply(views.result_view(row, last), 202 if last is None else 200)


@runs.get("/runs/{fid}/children", errors=_NO_RUN)
async def list_children(call: Call, fid: str) -> Page[ChildView]:
    """List the processes that nodes of a run have started."""
    return Page(items=views.children(await _record(call, await call.run(fid))))


@runs.get("/runs/{fid}/graph", errors=_NO_RUN)
async def show_graph(call: Call, fid: str) -> GraphView:
    """Show the graph of a run, and how far each node is."""
    row = await call.run(fid)
    record = await _record(call, row)
    spec = await _spec(call, row)
    nodes = [views.node_view(node) for node in record.nodes.values()]
    return GraphView(
        fid=row.fid,
        flow=row.flow,
        state=row.state,
        source=row.source,
        nodes=nodes + ([] if spec is None else views.unfired(spec, record)),
        links=[] if spec is None else views.links(spec),
    )


@runs.get("/runs/{fid}/node", errors={404: "No run has this id, or no firing this path."})
async def show_node(call: Call, fid: str, query: NodeQuery) -> NodeView:
    """Show a firing of a node: what it gave, and what it said."""
    record = await _record(call, await call.run(fid))
    node = record.nodes.get(query.path)
    if node is None:
        hint = suggest(query.path, record.nodes)
        raise EntryNotFound(f"nothing in run {fid} has the path `{query.path}`", remedy=hint)
    return views.node_view(node, whole=True)


@runs.post("/runs/{fid}/cancel", errors=_OPERATE)
async def cancel_run(call: Call, fid: str, body: Cancel) -> RunView:
    """End a run, and answer when it has ended. One that has ended stays as it is."""
    row = await call.run(fid, Permission.OPERATE)
    await call.host.runtime.cancel(row.fid, body.reason)
    call.note(Act.RUN_CANCEL, subject=row.fid, detail=body.reason)
    return await seen(call, await call.run(fid))


@runs.post("/runs/{fid}/resume", errors={**_OPERATE, 409: "Another process executes it."})
async def resume_run(call: Call, fid: str) -> RunView:
    """Go on with a run that nobody executes. One that has ended stays as it is."""
    row = await call.run(fid, Permission.OPERATE)
    await call.host.runtime.resume(row.fid)
    call.note(Act.RUN_RESUME, subject=row.fid)
    return await seen(call, await call.run(fid))


@runs.post(
    "/runs/{fid}/retry",
    status=201,
    errors={**_OPERATE, 409: "The run has not ended.", 422: "There is no such node, or no such port."},
)
async def retry_run(call: Call, fid: str, body: Retry) -> Reply[RunView]:
    """Run an ended run again, as a new one that goes on from what had completed."""
    row = await call.run(fid, Permission.OPERATE)
    _require_retry(call, row)
    again = await call.host.runtime.retry(
        row.fid,
        from_start=body.from_start,
        node=body.node,
        inputs=body.inputs or None,
        launcher=call.principal.id,
    )
    call.note(Act.RUN_RETRY, subject=row.fid, detail=again.fid)
    view = await seen(call, await again.row())
    return Reply(view, 201, (("Location", view.links["self"]),))


def _require_retry(call: Call, row: RunRow) -> None:
    """Who launched a run once may not launch it again when they may no longer launch its flow."""
    if not (
        call.may(Permission.LAUNCH, flow=row.flow)
        or call.may(Permission.OPERATE, flow=row.flow, launcher="")
    ):
        call.forbid(f"the permission `{Permission.LAUNCH}` on flow `{row.flow}`")


# --- what several operations do -----------------------------------------------------


async def seen(call: Call, row: RunRow) -> RunView:
    """A run as who asks sees it, with its open locks."""
    store = call.host.runtime.store
    (first, *_) = await store.events(row.fid, limit=1)
    open_locks = await call.host.runtime.locks(row.fid) if row.locks else []
    locks = [views.lock_view(row, lock) for lock in open_locks if lock.state == "open"]
    return views.run_view(row, first=first, last=await _last(call, row), locks=locks)


async def waited(call: Call, row: RunRow, seconds: float) -> RunRow:
    """The run when it has ended, or after so many seconds, or when the host is about to end."""
    if not seconds or row.state.terminal:
        return row
    runtime = call.host.runtime
    with contextlib.suppress(TimeoutError, RunError):  # how it ended is in its row
        async with call.host.patience(seconds):
            await runtime.result(row.fid)
    found = await runtime.store.run(row.fid)
    if found is None:
        raise RunNotFound("the run is gone")
    return found


async def _last(call: Call, row: RunRow) -> Event | None:
    """The event that ended a run, or None while it has not ended."""
    if not row.state.terminal:
        return None
    return views.ended(await call.host.runtime.store.events(row.fid, after=row.seq - 1))


async def _record(call: Call, row: RunRow) -> RunRecord:
    return RunRecord.fold(await call.host.runtime.store.events(row.fid), fid=row.fid)


async def _spec(call: Call, row: RunRow) -> FlowSpec | None:
    """What a graph was made of when the run began; of other flows, None."""
    if row.source != "graph":
        return None
    document = await call.host.runtime.store.revision(row.revision)
    return None if document is None else from_document(document)
