"""How a run ended, as a value or an exception."""

from __future__ import annotations

from penstock.core.errors import NonDeterminism, RunCancelled, RunError, RunFailed, RunTimeout
from penstock.core.events import Event, EventType
from penstock.core.payload import Error, Payload


def outcome_of(fid: str, event: Event) -> Payload:
    """The result that a terminal event carries; raises the RunError of any other end."""
    if event.type == EventType.RUN_COMPLETED:
        return event.data.get("result")
    if event.type == EventType.RUN_CANCELLED:
        raise cancellation_of(fid, event.data.get("reason") or "")
    raise failure_of(fid, event.data["error"])


def cancellation_of(fid: str, reason: str) -> RunCancelled:
    """The exception for a cancelled run."""
    return RunCancelled(f"run {fid} was cancelled{': ' + reason if reason else ''}", fid=fid)


def failure_of(fid: str, error: Error) -> RunError:
    """The exception for a failed run."""
    if error.code == NonDeterminism.__name__:
        return NonDeterminism(error.message, fid=fid, remedy=error.remedy)
    if error.code == RunTimeout.__name__:
        return RunTimeout(error.message, fid=fid, remedy=error.remedy)
    where = f" at `{error.node}`" if error.node else ""
    return RunFailed(
        f"run {fid} failed{where}: {error.message}", fid=fid, error=error, remedy=error.remedy
    )
