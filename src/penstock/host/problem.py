"""Errors as clients read them: which status each has, and its problem+json (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from starlette.responses import Response

from penstock.api.problem import PROBLEM_JSON, Fault, Problem
from penstock.core import errors
from penstock.core.problems import Problem as DocumentProblem
from penstock.core.problems import to_pointer
from penstock.server.problem import title

STATUSES: Final[Mapping[type[errors.PenstockError], int]] = {
    errors.DocumentError: 422,
    errors.InputError: 422,
    errors.PayloadError: 422,
    errors.CandidateInvalid: 422,
    errors.AccountError: 422,
    errors.EntryNotFound: 404,
    errors.RunNotFound: 404,
    errors.LockNotFound: 404,
    errors.LockClosed: 410,
    errors.LockUndecided: 504,
    errors.RetryRefused: 422,
    errors.RunBusy: 409,
    errors.StoreConflict: 409,
    errors.RunExists: 409,
    errors.KeyTaken: 409,
    errors.StoreFull: 507,
    errors.StoreError: 503,
    errors.RunSuspended: 503,
}
"""The status of each error that a client may meet; what is not here is a fault of the host: 500."""


class Refused(errors.RequestRefused):
    """A request that cannot be answered as it is.

    kind: a short stable name of what is wrong, the last part of the problem's `type`. faults: the
    places in the request that are at fault.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "",
        remedy: str = "",
        faults: Sequence[Fault] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(status, message, headers=headers)
        self.kind = kind
        self.remedy = remedy
        self.faults = tuple(faults)


def status_of(error: errors.PenstockError) -> int:
    """The HTTP status that tells of an error."""
    if isinstance(error, errors.RequestRefused):
        return error.status
    return next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), 500)


def problem_of(error: errors.PenstockError, instance: str = "") -> Problem:
    """What a client is told of an error. Of a fault of the host it learns nothing but that."""
    status = status_of(error)
    if status == 500:
        return internal(instance)
    kind = error.kind if isinstance(error, Refused) else _kebab(type(error).__name__)
    return Problem(
        type=f"urn:penstock:{kind}" if kind else "about:blank",
        title=title(status),
        status=status,
        detail=error.message,
        remedy=error.remedy,
        instance=instance,
        errors=list(_faults(error)),
    )


def internal(instance: str = "") -> Problem:
    """What a client is told when the host itself is at fault. The log has the rest."""
    return Problem(
        type="about:blank",
        title=title(500),
        status=500,
        detail="something went wrong in the host; its log says what",
        instance=instance,
    )


def answer(problem: Problem, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """The response that tells of a problem."""
    response = Response(msgspec.json.encode(problem), problem.status, media_type=PROBLEM_JSON)
    for name, value in headers:
        response.headers.append(name, value)
    return response


def fault_of(problem: DocumentProblem, *, below: str = "") -> Fault:
    """What is wrong with a document. below: where the document is, in what was sent."""
    return Fault(detail=problem.message, pointer=below + to_pointer(problem.path), remedy=problem.hint)


def _faults(error: errors.PenstockError) -> Sequence[Fault]:
    if isinstance(error, Refused):
        return error.faults
    if isinstance(error, errors.DocumentError):
        return [fault_of(each) for each in error.problems]
    if isinstance(error, errors.InputError):
        pairs = zip(error.problems, error.paths, strict=True)
        return [Fault(detail=line, pointer=to_pointer(("inputs", *path))) for line, path in pairs]
    if isinstance(error, errors.AccountError):
        return [Fault(detail=error.message, pointer=to_pointer((error.field,)))]
    if isinstance(error, errors.CandidateInvalid):
        return [Fault(detail=reason.detail, pointer=reason.pointer) for reason in error.reasons]
    return ()


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
