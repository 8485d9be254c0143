"""What the exit code of the command line means."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from penstock.core.errors import (
    AccountError,
    CandidateInvalid,
    DocumentError,
    EntryNotFound,
    HostError,
    InputError,
    LockNotFound,
    PenstockError,
    RetryRefused,
    RunCancelled,
    RunNotFound,
    SealError,
    SettingsError,
    StoreConflict,
    StoreError,
)

if TYPE_CHECKING:
    from penstock.core.states import RunState


class Exit(IntEnum):
    """The exit codes, for scripts that call `penstock`."""

    COMPLETED = 0
    """The command did what it was asked; a run completed."""
    FAILED = 1
    """The run failed, somebody else wrote first, or something is wrong that no other code tells."""
    USAGE = 2
    """The command line, a setting, a key, an input or a document cannot be used."""
    CANCELLED = 3
    """The run was cancelled, or stopped before its end."""
    UNREACHABLE = 4
    """The run, flow, spec or value, or the store or host that should have it, was not found, cannot
    be reached, or does not let one in."""


def of_error(error: PenstockError) -> Exit:
    """The exit code that tells this error."""
    match error:
        case StoreConflict():
            return Exit.FAILED
        case (
            AccountError()
            | CandidateInvalid()
            | DocumentError()
            | InputError()
            | SettingsError()
            | SealError()
            | RetryRefused()
        ):
            return Exit.USAGE
        case RunCancelled():
            return Exit.CANCELLED
        case HostError():
            return _of_status(error.status)
        case RunNotFound() | LockNotFound() | EntryNotFound() | StoreError():
            return Exit.UNREACHABLE
        case _:
            return Exit.FAILED


def _of_status(status: int) -> Exit:
    """The exit code for what a host answered; 0: it did not."""
    if status in (0, 401, 403, 404):
        return Exit.UNREACHABLE
    return Exit.USAGE if status in (400, 413, 415, 422) else Exit.FAILED


def of_state(state: RunState) -> Exit:
    """The exit code that tells how a run ended, or that it has not."""
    # Compared as text: the start of `penstock version` must not pay for the engine's types.
    return {"completed": Exit.COMPLETED, "failed": Exit.FAILED}.get(state, Exit.CANCELLED)
