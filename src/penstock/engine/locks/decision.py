"""Deciding: what a flow makes of a candidate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from penstock.core.errors import Denied, NodeError
from penstock.core.payload import Payload, normalise
from penstock.core.problems import to_pointer
from penstock.core.reason import Reason
from penstock.engine.hints import Unfit
from penstock.engine.locks.candidate import Candidate
from penstock.engine.locks.demand import Demand

Check = Callable[[Candidate], Any]
"""Decides about a candidate, plain or async: returns the answer, or None to take the candidate as it
is, or raises `Denied`."""


async def decide(check: Check | None, candidate: Candidate, demand: Demand) -> Payload:
    """The answer that a candidate releases the lock with. Raises Denied, or what the check raises.

    Without a check, each candidate that fits is released.
    """
    try:
        value = demand.convert(candidate.value)
    except Unfit as error:
        raise Denied(Reason(error.message, to_pointer(error.path))) from error
    if check is None:
        return candidate.value
    verdict = check(msgspec.structs.replace(candidate, value=value))
    if inspect.isawaitable(verdict):
        verdict = await verdict
    return candidate.value if verdict is None else normalise(verdict)


def reasons_of(error: NodeError) -> tuple[Reason, ...]:
    """Why a candidate was denied, also where the denial came up from a child process."""
    if isinstance(error, Denied):
        return error.reasons
    found = error.details.get("reasons") if isinstance(error.details, dict) else None
    try:
        reasons: tuple[Reason, ...] = msgspec.convert(found, tuple[Reason, ...])
    except msgspec.ValidationError:
        reasons = ()
    return reasons or (Reason(error.message),)
