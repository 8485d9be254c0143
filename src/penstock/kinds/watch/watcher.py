"""Watchers: wait for files to change, on a thread."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.core.errors import NodeError
from penstock.kinds.watch.snapshot import Change, Snapshot
from penstock.kinds.watch.target import Target

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

LOOK_MS: Final = 500
"""How often to see whether the folders are still the ones that are watched."""

_BURST_PERIODS: Final = 10
"""How many quiet times a burst of changes may last before it is told of all the same."""


class Watcher:
    """Watches files. Its methods belong on one thread, but for `stop`.

    quiet_ms: how long a burst of changes must be over. pending: what changed and was not taken
    yet, in order; whoever takes it removes it.
    """

    def __init__(self, targets: Sequence[Target], *, quiet_ms: int) -> None:
        self.pending: deque[Change] = deque()
        self._targets = targets
        self._quiet_ms = quiet_ms
        self._folders = sorted({target.folder for target in targets})
        self._snapshot = Snapshot(targets)
        self._notices: RustNotify | None = None
        self._watched: list[tuple[int, int] | None] = []
        self._stopped = threading.Event()

    def begin(self, *, existing: bool, parents: bool) -> None:
        """Watch from now on. Raises NodeError when that cannot be.

        existing: the files that are there already count as created. parents: make folders
        that are missing.
        """
        for folder in self._folders if parents else ():
            try:
                Path(folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _told(folder, error) from error
        self._arm()
        there = self._snapshot.everything()
        if existing:
            self.pending.extend(there)

    def wait(self) -> None:
        """Wait for changes, for a moment if there are none, and add them to `pending`."""
        if self._notices is None or self._watched != self._identities():
            self._arm_again()
            return
        longest = max(self._quiet_ms * _BURST_PERIODS, LOOK_MS)
        found = self._notices.watch(longest, self._quiet_ms, LOOK_MS, self._stopped)
        if isinstance(found, set):
            self.pending.extend(self._snapshot.changes({path for _, path in found}))

    def stop(self) -> None:
        """Let a `wait` that is under way return soon. May be called from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Give the system's watches back."""
        notices, self._notices = self._notices, None
        if notices is not None:
            notices.close()

    def _arm_again(self) -> None:
        """A folder was removed or replaced: watch what is there now, and tell the difference."""
        self.close()
        try:
            self._arm()
        except NodeError:
            self._stopped.wait(LOOK_MS / 1000)
        self.pending.extend(self._snapshot.everything())

    def _arm(self) -> None:
        from watchfiles._rust_notify import RustNotify

        for folder in self._folders:
            if not os.path.isdir(folder):  # noqa: PTH112 - it answers where pathlib raises
                remedy = "make it, or set `parents: true`"
                raise _failure(folder, "there is no such folder", "watch.missing", remedy)
        self._watched = self._identities()
        deep = any(target.deep for target in self._targets)
        try:
            self._notices = RustNotify(self._folders, False, False, 0, deep, False)
        except (OSError, RuntimeError) as error:
            raise _told(", ".join(self._folders), error) from error

    def _identities(self) -> list[tuple[int, int] | None]:
        return [_identity(folder) for folder in self._folders]


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = Path(folder).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _told(folder: str, error: OSError | RuntimeError) -> NodeError:
    if "OS file watch limit reached" in str(error) or getattr(error, "errno", 0) == errno.ENOSPC:
        remedy = "raise the system's limit (`sysctl fs.inotify.max_user_watches`), or watch less"
        return _failure(folder, "the system has no watches left", "watch.limit", remedy)
    if isinstance(error, PermissionError):
        return _failure(folder, "it is not allowed", "watch.permission", "check its permissions")
    return _failure(folder, str(error), "watch.system", "look at the disk, or watch another folder")


def _failure(folder: str, reason: str, code: str, remedy: str) -> NodeError:
    return NodeError(
        f"cannot watch `{folder}`: {reason}", code=code, details={"path": folder}, remedy=remedy
    )
