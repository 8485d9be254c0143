"""Observation: what is executed, with an observer told of its beginning and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from penstock.core.payload import Error
from penstock.engine.observer import Outcome

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.engine.firing import Attempt, Watch
    from penstock.engine.live import LiveRun
    from penstock.engine.redaction import Redactor


def observed_attempt(run: LiveRun, node: str, kind: str, attempt: Attempt, watch: Watch) -> Attempt:
    """An attempt of an effectful firing that the run's observer is told of."""
    observer = run.observer
    assert observer is not None

    async def observed(number: int) -> Payload:
        subject = run.subject
        observer.attempt_began(subject, node, kind, number)
        began = run.clock.monotonic()
        outcome: Outcome = Outcome.CANCELLED
        error: Error | None = None
        try:
            outputs = await attempt(number)
            outcome = Outcome.COMPLETED
        except asyncio.CancelledError:
            if watch.expired and not watch.stopped:
                outcome = Outcome.FAILED
                error = Error(code="timeout", message="took longer than its `timeout`", node=node)
            raise
        except (Exception, SystemExit) as cause:
            outcome = Outcome.FAILED
            error = masked(Error.from_exception(cause, node=node), run.journal.redactor)
            raise
        finally:
            seconds = run.clock.monotonic() - began
            observer.attempt_ended(subject, node, kind, outcome, seconds, error)
        return outputs

    return observed


def observed_child(
    run: LiveRun, path: str, flow: str, execute: Callable[[], Awaitable[Payload]]
) -> Callable[[], Awaitable[Payload]]:
    """A child process that the run's observer is told of. flow: the one called, or empty."""
    from penstock.engine.firing import Failure

    observer = run.observer
    assert observer is not None

    async def observed() -> Payload:
        subject = run.subject
        observer.child_began(subject, path, flow)
        began = run.clock.monotonic()
        outcome: Outcome = Outcome.CANCELLED
        error: Error | None = None
        try:
            result = await execute()
            outcome = Outcome.COMPLETED
        except Failure as failure:
            outcome = Outcome.FAILED
            error = masked(failure.error, run.journal.redactor)
            raise
        finally:
            observer.child_ended(subject, path, outcome, run.clock.monotonic() - began, error)
        return result

    return observed


def masked(error: Error, redactor: Redactor | None) -> Error:
    """A failure as an observer may see it."""
    found = error if redactor is None else redactor.payload(error)
    assert isinstance(found, Error)
    return found
