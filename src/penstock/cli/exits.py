"""What the exit code of the command line means."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from penstock.core.errors import (
    AccountError,
    DocumentError,
    EntryNotFound,
    InputError,
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
    """The run, spec or value, or the store that should hold it, was not found or cannot be reached."""


def of_error(error: PenstockError) -> Exit:
    """The exit code that tells this error."""
    match error:
        case StoreConflict():
            return Exit.FAILED
        case (
            AccountError()
            | DocumentError()
            | InputError()
            | SettingsError()
            | SealError()
            | RetryRefused()
        ):
            return Exit.USAGE
        case RunCancelled():
            return Exit.CANCELLED
        case RunNotFound() | EntryNotFound() | StoreError():
            return Exit.UNREACHABLE
        case _:
            return Exit.FAILED


def of_state(state: RunState) -> Exit:
    """The exit code that tells how a run ended, or that it has not."""
    # Compared as text: the start of `penstock version` must not pay for the engine's types.
    return {"completed": Exit.COMPLETED, "failed": Exit.FAILED}.get(state, Exit.CANCELLED)
