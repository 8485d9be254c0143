"""Views: what clients see of flows and runs, made from what the engine and the store know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from penstock.api.flows import FlowView
from penstock.api.locks import LockView
from penstock.api.runs import (
    ChildView,
    ErrorView,
    LinkView,
    NodeView,
    NoteView,
    ResultView,
    RunView,
)
from penstock.api.times import moment
from penstock.core.events import Event, EventType
from penstock.core.payload import Error, Payload, to_json
from penstock.core.record import NodeRecord, NodeState, Note, RunRecord
from penstock.core.spec import FlowSpec

if TYPE_CHECKING:
    from penstock.core.locks import LockRecord
    from penstock.core.store import RunRow
    from penstock.host.shelf import Served

PREFIX: Final = "/api/v1"


def flow_view(served: Served, namespace: str) -> FlowView:
    """A flow as clients see it, a broken one with the reason."""
    name, flow = served.name, served.flow
    links = {
        "self": f"{PREFIX}/flows/{quote(name)}",
        "form": f"{PREFIX}/flows/{quote(name)}/form",
        "runs": f"{PREFIX}/runs?flow={quote(name)}",
    }
    if flow is None:
        return FlowView(
            name=name, namespace=namespace, status=served.status, reason=served.reason, links=links
        )
    return FlowView(
        name=name,
        namespace=flow.namespace,
        description=flow.description,
        author=flow.author,
        tags=list(flow.tags),
        revision=flow.revision,
        source=flow.source,
        executor=flow.settings.executor,
        status=served.status,
        input_schema=flow.input_schema,
        output_schema=flow.output_schema,
        links=links,
    )


def run_view(
    row: RunRow, *, first: Event | None = None, last: Event | None = None, locks: Iterable[LockView] = ()
) -> RunView:
    """A run as clients see it. first, last: events of its stream, where they are known."""
    end = last if last is not None and last.terminal else None
    return RunView(
        fid=row.fid,
        flow=row.flow,
        state=row.state,
        namespace=row.namespace,
        revision=row.revision,
        executor=row.executor,
        launcher=row.launcher,
        started=moment(row.started),
        ended=moment(row.ended),
        duration_ms=None if row.ended is None else round((row.ended - row.started) * 1000, 3),
        wake_at=moment(row.wake_at),
        error=_ending(end) or (ErrorView(message=row.error) if row.error else None),
        reason="" if end is None else end.data.get("reason", ""),
        retry_of="" if first is None else first.data.get("retry_of", ""),
        seq=row.seq,
        locks=list(locks),
        links=run_links(row.fid),
    )


def run_links(fid: str) -> dict[str, str]:
    """Where a client goes on from a run."""
    own = f"{PREFIX}/runs/{quote(fid)}"
    return {"self": own} | {what: f"{own}/{what}" for what in ("events", "result", "locks", "files")}


def result_view(row: RunRow, last: Event | None) -> ResultView:
    """How a run ended. last: its terminal event; None while there is none."""
    if last is None or not last.terminal:
        return ResultView(fid=row.fid, state=row.state, flow=row.flow)
    return ResultView(
        fid=row.fid,
        state=row.state,
        flow=row.flow,
        result=plain(last.data.get("result")),
        error=_ending(last),
        reason=last.data.get("reason", ""),
        failures=plain(last.data.get("failures") or []),
        duration_ms=last.data.get("duration_ms"),
    )


def lock_view(row: RunRow, lock: LockRecord) -> LockView:
    """A lock as clients see it."""
    own = f"{PREFIX}/runs/{quote(row.fid)}/lock/{quote(lock.lid)}"
    return LockView(
        lid=lock.lid,
        fid=row.fid,
        flow=row.flow,
        name=lock.name,
        node=lock.node,
        title=lock.title,
        description=lock.description,
        schema=lock.schema,
        data=plain(lock.data),
        opened=moment(lock.opened),
        expires=moment(lock.expires),
        state=lock.state,
        links={"self": own, "candidate": f"{own}/candidate"},
    )


def children(record: RunRecord) -> list[ChildView]:
    """The processes below the run's own, in the order in which they began."""
    return [
        ChildView(
            path=path,
            state=process.state,
            flow=process.flow,
            started=moment(process.started),
            ended=moment(process.ended),
        )
        for path, process in record.processes.items()
        if path
    ]


def node_view(node: NodeRecord, *, whole: bool = False) -> NodeView:
    """A firing. whole: with what it gave and said."""
    view = NodeView(
        path=node.path,
        name=node.node,
        kind=node.kind,
        state=node.state,
        attempts=node.attempts,
        started=moment(node.started),
        ended=moment(node.ended),
        duration_ms=node.duration_ms,
        error=error_view(node.error),
        progress=node.progress,
        status=node.status,
        wake_at=moment(node.wake_at),
    )
    if not whole:
        return view
    notes = [_note(note) for note in node.notes]
    return msgspec.structs.replace(view, outputs=plain(node.outputs), notes=notes)


def unfired(spec: FlowSpec, record: RunRecord) -> list[NodeView]:
    """The nodes of a graph that have not fired yet."""
    fired = _fired(record)
    state = NodeState.SKIPPED if record.state.terminal else NodeState.PENDING
    return [
        NodeView(path=node.key, name=node.key, kind=node.kind, state=state)
        for node in spec.nodes
        if node.key not in fired
    ]


def _fired(record: RunRecord) -> set[str]:
    """The names of the nodes of a run's own graph that have fired, in whichever of its processes.

    A process without a key is that of a graph inside a node, which has names of its own.
    """
    fired, pending = set(), [""]
    while pending:
        process = record.processes.get(pending.pop())
        for path in process.nodes if process is not None else ():
            node = record.nodes[path]
            fired.add(node.node)
            below = [record.processes[each] for each in node.processes]
            pending += [each.path for each in below if each.key and not each.flow]
    return fired


def links(spec: FlowSpec) -> list[LinkView]:
    """The links between the nodes of a graph."""
    return [
        LinkView(source=node.key, target=link.node, port=link.port, to=link.to)
        for node in spec.nodes
        for link in node.links
    ]


def error_view(error: Error | None) -> ErrorView | None:
    """A failure as clients see it."""
    if error is None:
        return None
    return ErrorView(
        message=error.message,
        code=error.code,
        node=error.node,
        details=plain(error.details),
        remedy=error.remedy,
    )


def plain(value: Payload) -> Any:
    """A payload as JSON would have it: bytes as base64, an `Error` as a mapping."""
    return msgspec.json.decode(to_json(value))


def ended(events: Sequence[Event]) -> Event | None:
    """The event that ends a stream, if it is the last of these."""
    return events[-1] if events and events[-1].terminal else None


def _ending(last: Event | None) -> ErrorView | None:
    if last is None or last.type == EventType.RUN_COMPLETED:
        return None
    return error_view(last.data.get("error"))


def _note(note: Note) -> NoteView:
    return NoteView(
        seq=note.seq, at=moment(note.time), source=note.source, level=note.level, text=note.text
    )
