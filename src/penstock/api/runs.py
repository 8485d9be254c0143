"""Runs on the wire: what they are, what they are made of, and what can be asked of them."""

from __future__ import annotations

from typing import Any

import msgspec

from penstock.api.locks import LockView
from penstock.api.times import Moment
from penstock.core.record import NodeState
from penstock.core.states import RunState


class ErrorView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something failed. code: short and stable. node: the firing that failed first."""

    message: str
    code: str = ""
    node: str = ""
    details: Any = None
    remedy: str = ""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run at a glance.

    revision: the digest of what it runs. launcher: the id of who launched it, empty for nobody.
    wake_at: when a waiting run goes on. reason: why it was cancelled. retry_of: the run that it
    repeats, or empty. seq: its last event. locks: the open ones, where one run is shown and not a list.
    links: self, events, result, locks, files.
    """

    fid: str
    flow: str
    state: RunState
    namespace: str = ""
    revision: str = ""
    executor: str = "inline"
    launcher: str = ""
    started: Moment | None = None
    ended: Moment | None = None
    duration_ms: float | None = None
    wake_at: Moment | None = None
    error: ErrorView | None = None
    reason: str = ""
    retry_of: str = ""
    seq: int = 0
    locks: list[LockView] = []
    links: dict[str, str] = {}


class ResultView(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, or that it has not.

    result: what it returned when it completed. failures: the nodes that failed and did not
    stop the flow.
    """

    fid: str
    state: RunState
    flow: str = ""
    result: Any = None
    error: ErrorView | None = None
    reason: str = ""
    failures: list[Any] = []
    duration_ms: float | None = None


class ChildView(msgspec.Struct, frozen=True, kw_only=True):
    """A process that a node of the run started. flow: which one it runs, if another."""

    path: str
    state: RunState
    flow: str = ""
    started: Moment | None = None
    ended: Moment | None = None


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A firing of a node, or a node that has not fired.

    path: where it stands in the run, such as `each[3]/parse`. progress: from 0 to 1. status:
    what it says that it does. outputs, notes: only where one node was asked for.
    """

    path: str
    name: str
    kind: str = ""
    state: NodeState = NodeState.PENDING
    attempts: int = 0
    started: Moment | None = None
    ended: Moment | None = None
    duration_ms: float | None = None
    error: ErrorView | None = None
    progress: float | None = None
    status: str = ""
    wake_at: Moment | None = None
    outputs: Any | msgspec.UnsetType = msgspec.UNSET
    notes: list[NoteView] | msgspec.UnsetType = msgspec.UNSET


class NoteView(msgspec.Struct, frozen=True, kw_only=True):
    """Something a node said. source: `message`, `stdout`, `stderr` or `data`; seq: its event."""

    seq: int
    at: Moment
    source: str
    level: str
    text: str


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A link of a graph: from the port of one node to the port of another."""

    source: str
    target: str
    port: str = "out"
    to: str = "in"


class GraphView(msgspec.Struct, frozen=True, kw_only=True):
    """What a run runs, and how far it is.

    source: what its flow is made of: `graph`, `python` or `crew`. nodes: every firing, and the
    nodes of the graph that have not fired. links: between nodes of the graph, by their names.
    """

    fid: str
    flow: str
    state: RunState
    source: str = "graph"
    nodes: list[NodeView] = []
    links: list[LinkView] = []


class Launch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Starts a run of a flow."""

    inputs: dict[str, Any] = {}


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ends a run. reason: kept with it."""

    reason: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Runs an ended run again, as a new one that takes over what had completed.

    from_start: takes over nothing. node: takes over nothing of this firing, nor of what lies
    behind it. inputs: values for in-ports of that node, in place of what came.
    """

    from_start: bool = False
    node: str = ""
    inputs: dict[str, Any] = {}
