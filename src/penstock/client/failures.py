"""What a host refuses, as the errors that the same thing raises without a host."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from penstock.api import PROBLEM_JSON, TYPE_PREFIX, Fault, Problem
from penstock.client.effects import Answer
from penstock.core import errors, problems
from penstock.core.reason import Reason

Build = Callable[[str, Problem], errors.PenstockError]

TOKEN_REMEDY: Final = "give a token: PENSTOCK_TOKEN, or `penstock login URL`"  # noqa: S105


def problem_of(answer: Answer) -> Problem:
    """What the host says is wrong, or that it says nothing that can be understood."""
    if answer.headers.get("content-type", "").startswith(PROBLEM_JSON):
        try:
            return msgspec.json.decode(answer.body, type=Problem)
        except msgspec.MsgspecError:
            pass  # then it is as if it had said nothing
    onward = answer.headers.get("location", "")
    return Problem(
        title="",
        status=answer.status,
        detail=f"the host answered {answer.status}",
        remedy=f"it sends one on to {onward}: is that its address?" if onward else "",
    )


def failure_of(problem: Problem) -> errors.PenstockError:
    """The error to raise for a problem."""
    message = problem.detail or problem.title
    build = _BUILDERS.get(kind_of(problem)) or _BY_STATUS.get(problem.status, _host_error)
    return build(message, problem)


def kind_of(problem: Problem) -> str:
    """The short name of what is wrong: `run-not-found`."""
    return problem.type.removeprefix(TYPE_PREFIX)


def _plain(cls: type[errors.PenstockError]) -> Build:
    return lambda message, problem: cls(message, remedy=problem.remedy)


def _inputs(message: str, problem: Problem) -> errors.InputError:
    faults = problem.errors or [Fault(detail=message)]
    paths = [_path(fault.pointer)[1:] for fault in faults]  # without `inputs`, where they stand
    error = errors.InputError("", [fault.detail for fault in faults], paths=paths, remedy=problem.remedy)
    error.message = message  # which names the flow
    return error


def _documents(message: str, problem: Problem) -> errors.DocumentError:
    found = [
        problems.Problem(fault.detail, path=_path(fault.pointer), hint=fault.remedy)
        for fault in problem.errors
    ]
    return errors.DocumentError(found or [problems.Problem(message, hint=problem.remedy)])


def _candidate(message: str, problem: Problem) -> errors.CandidateInvalid:
    faults = problem.errors or [Fault(detail=message)]
    return errors.CandidateInvalid(
        [Reason(fault.detail, fault.pointer) for fault in faults], remedy=problem.remedy
    )


def _account(message: str, problem: Problem) -> errors.AccountError:
    field = problem.errors[0].pointer.removeprefix("/") if problem.errors else ""
    return errors.AccountError(message, field=field, remedy=problem.remedy)


def _conflict(message: str, problem: Problem) -> errors.StoreConflict:
    return errors.StoreConflict(message, field="revision", remedy=problem.remedy)


def _host(cls: type[errors.HostError], remedy: str = "") -> Build:
    def build(message: str, problem: Problem) -> errors.HostError:
        kind = kind_of(problem)
        return cls(
            message,
            status=problem.status,
            kind="" if kind == "about:blank" else kind,
            faults=[(fault.pointer, fault.detail) for fault in problem.errors],
            remedy=remedy or problem.remedy,
        )

    return build


_host_error: Final = _host(errors.HostError)

_BY_STATUS: Final[Mapping[int, Build]] = {
    401: _host(errors.Unauthorized, TOKEN_REMEDY),
    403: _host(errors.Forbidden),
}

_BUILDERS: Final[Mapping[str, Build]] = {
    "document-error": _documents,
    "input-error": _inputs,
    "account-error": _account,
    "candidate-invalid": _candidate,
    "store-conflict": _conflict,
    **{
        re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower(): _plain(cls)
        for cls in (
            errors.PayloadError,
            errors.RunNotFound,
            errors.RunBusy,
            errors.RetryRefused,
            errors.EntryNotFound,
            errors.LockNotFound,
            errors.LockClosed,
            errors.LockUndecided,
        )
    },
}


def _path(pointer: str) -> problems.Path:
    """The place that a JSON Pointer (RFC 6901) names."""
    parts = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    return tuple(int(part) if part.isdigit() else part for part in parts)
