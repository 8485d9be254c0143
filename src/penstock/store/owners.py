"""Owners: which runtimes live, told by locks that the kernel releases when they die."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Owners:
    """The lock files of all runtimes that execute runs of one store.

    An owner is alive while somebody holds the lock of its file. A lock is the only sign
    of life that SIGKILL cannot leave behind and that a paused process cannot lose; it
    holds between processes of one machine, as the SQLite file itself does.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = ""
        self._descriptor = -1

    def own(self) -> str:
        """This process's owner; the first call makes it. Raises OSError."""
        if not self.name:
            self._folder.mkdir(exist_ok=True)
            name = f"{os.getpid()}-{secrets.token_hex(6)}"
            self._descriptor = _hold(self._folder / f"{name}.lock")
            self.name = name
        return self.name

    def alive(self, owner: str) -> bool:
        """Whether the owner's process lives. Raises OSError when that cannot be told."""
        if owner == self.name:
            return owner != ""
        return owner != "" and _is_held(self._folder / f"{owner}.lock")

    def dead(self) -> set[str]:
        """Owners who died, or left unfinished runs behind, and were not swept yet."""
        names = {path.stem for path in self._folder.glob("*.lock")}
        return {name for name in names if not self.alive(name)}

    def sweep(self, dead: Iterable[str]) -> None:
        """Remove the files of dead owners, when nothing of theirs is left to be taken."""
        for name in dead:
            _remove_if_free(self._folder / f"{name}.lock")

    def release(self, *, leaves_runs: bool) -> None:
        """End this owner; its unfinished runs may be claimed by others.

        leaves_runs: its file stays, like that of one who died, and tells of them.
        """
        if self.name:
            if not leaves_runs:
                (self._folder / f"{self.name}.lock").unlink(missing_ok=True)
            os.close(self._descriptor)
            self.name, self._descriptor = "", -1


def _hold(path: Path) -> int:
    """Create the file and lock it; the descriptor holds the lock."""
    import fcntl

    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # a sweep removed the file before the lock was held


def _is_held(path: Path) -> bool:
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove_if_free(path: Path) -> None:
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
