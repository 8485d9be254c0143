"""Penstock: a durable flow engine.

Names are imported when they are first used, so that a start pays only for what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.version import __version__

if TYPE_CHECKING:
    from penstock.core.duration import Duration
    from penstock.core.errors import Denied, LockExpired, NodeError, PenstockError
    from penstock.core.events import Event, EventType
    from penstock.core.locks import Decision
    from penstock.core.payload import Error
    from penstock.core.policies import Backoff, OnError, Retry, Strategy
    from penstock.core.ports import Emit, Port
    from penstock.core.reason import Reason
    from penstock.core.states import RunState
    from penstock.core.store import RunQuery
    from penstock.engine.attachment import Attachment, File
    from penstock.engine.context import ControlContext, NodeContext, StepContext
    from penstock.engine.function import node
    from penstock.engine.kind import Action, Control, FieldError, Inputs, Outputs, Trigger, field
    from penstock.engine.locks.candidate import Candidate
    from penstock.engine.pyflow import flow
    from penstock.engine.resident.resident import Resident
    from penstock.engine.resident.symbol import Status, Symbol
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.engine.run import Run
    from penstock.engine.scheme import Scheme
    from penstock.engine.step import step
    from penstock.engine.strand import Context
    from penstock.runtime import Runtime, flows_of, load_flow

_HOMES = {
    "Action": "penstock.engine.kind",
    "Attachment": "penstock.engine.attachment",
    "Backoff": "penstock.core.policies",
    "Candidate": "penstock.engine.locks.candidate",
    "Control": "penstock.engine.kind",
    "ControlContext": "penstock.engine.context",
    "Decision": "penstock.core.locks",
    "Denied": "penstock.core.errors",
    "Duration": "penstock.core.duration",
    "Emit": "penstock.core.ports",
    "Error": "penstock.core.payload",
    "Event": "penstock.core.events",
    "EventType": "penstock.core.events",
    "File": "penstock.engine.attachment",
    "FieldError": "penstock.engine.kind",
    "Context": "penstock.engine.strand",
    "Inputs": "penstock.engine.kind",
    "LockExpired": "penstock.core.errors",
    "NodeContext": "penstock.engine.context",
    "NodeError": "penstock.core.errors",
    "OnError": "penstock.core.policies",
    "Outputs": "penstock.engine.kind",
    "PenstockError": "penstock.core.errors",
    "Port": "penstock.core.ports",
    "Reason": "penstock.core.reason",
    "Resident": "penstock.engine.resident.resident",
    "Retry": "penstock.core.policies",
    "Run": "penstock.engine.run",
    "RunQuery": "penstock.core.store",
    "RunState": "penstock.core.states",
    "Runtime": "penstock.runtime",
    "Scheme": "penstock.engine.scheme",
    "Status": "penstock.engine.resident.symbol",
    "StepContext": "penstock.engine.context",
    "Symbol": "penstock.engine.resident.symbol",
    "Trigger": "penstock.engine.kind",
    "TriggerContext": "penstock.engine.resident.trigger",
    "Strategy": "penstock.core.policies",
    "field": "penstock.engine.kind",
    "flow": "penstock.engine.pyflow",
    "flows_of": "penstock.runtime",
    "load_flow": "penstock.runtime",
    "node": "penstock.engine.function",
    "step": "penstock.engine.step",
}

__all__ = [
    "Action",
    "Attachment",
    "Backoff",
    "Candidate",
    "Context",
    "Control",
    "ControlContext",
    "Decision",
    "Denied",
    "Duration",
    "Emit",
    "Error",
    "Event",
    "EventType",
    "FieldError",
    "File",
    "Inputs",
    "LockExpired",
    "NodeContext",
    "NodeError",
    "OnError",
    "Outputs",
    "PenstockError",
    "Port",
    "Reason",
    "Resident",
    "Retry",
    "Run",
    "RunQuery",
    "RunState",
    "Runtime",
    "Scheme",
    "Status",
    "StepContext",
    "Strategy",
    "Symbol",
    "Trigger",
    "TriggerContext",
    "__version__",
    "field",
    "flow",
    "flows_of",
    "load_flow",
    "node",
    "step",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module `penstock` has no attribute `{name}`")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(home), name)
    return value
