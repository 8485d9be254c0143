"""The one place where the errors of SQLite and of the file system become StoreErrors."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from penstock.core.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
"""SQLite says FULL for ENOSPC alone; a quota and a file size limit come as failed writes."""
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CLOSED_TO_US: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


class Guard:
    """Within it, what SQLite, the file system and the encoder of text raise is a StoreError."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            raise store_error(error, self._path) from error
        if isinstance(error, UnicodeEncodeError):
            raise StoreError(
                f"text that is not Unicode cannot be kept in the journal `{self._path}`: {error}",
                remedy="decode bytes before they become the name of a flow or the id of a run",
            ) from error


def store_error(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """The StoreError that tells this failure of the store in the file `path`."""
    if isinstance(error, OSError):
        return _from_os(error, path)
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & 0xFF
    if extended in _FULL or code in _FULL:
        return full(path)
    if code in _LOCKED:
        return locked(path)
    if code in _CORRUPT:
        return corrupt(path, str(error))
    if code in _CLOSED_TO_US:
        return _refused(path)
    if code == sqlite3.SQLITE_CANTOPEN:
        return _cannot_open(path)
    return StoreError(
        f"the journal `{path}` cannot be used: {error}",
        remedy="run `penstock doctor`; what was committed is kept",
    )


def full(path: Path) -> StoreFull:
    return StoreFull(
        f"the journal `{path}` cannot grow: its disk, quota or file size limit is exhausted",
        remedy=f"free space for {path.parent}, then resume: everything up to the last commit is kept",
    )


def locked(path: Path) -> StoreLocked:
    return StoreLocked(
        f"another program holds the journal `{path}` locked for too long",
        remedy="close what has it open for writing (a database browser, a backup), then try again",
    )


def corrupt(path: Path, found: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"`{path}` is not a healthy journal: {found}",
        remedy="restore it from a backup, or name another file with --store; it was not changed",
    )


def _refused(path: Path) -> StoreError:
    return StoreError(
        f"the journal `{path}` may not be written",
        remedy=f"give this user the right to write it and its folder {path.parent}, "
        "or name another file with --store",
    )


def _from_os(error: OSError, path: Path) -> StoreError:
    place = error.filename or path
    if error.errno in _FULL_ERRNOS:
        return full(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"the journal `{path}` cannot be used: `{place}`: {error.strerror}",
            remedy=f"give this user the right to write {path.parent}, or name another file with --store",
        )
    return StoreError(
        f"the journal `{path}` cannot be used: `{place}`: {error.strerror or error}",
        remedy="check the path, or name another file with --store",
    )


def _cannot_open(path: Path) -> StoreError:
    """SQLite does not say why it cannot open a file, so look."""
    if path.is_dir():
        return StoreError(
            f"the journal `{path}` is a folder", remedy=f"name a file: {path / 'penstock.db'}"
        )
    if not path.parent.is_dir():
        return StoreError(
            f"the folder of the journal `{path}` does not exist", remedy=f"create {path.parent}"
        )
    space = os.statvfs(path.parent)
    # A virtual file system, such as /proc, has no blocks at all: it is not full of files.
    if os.access(path.parent, os.W_OK) and space.f_blocks > 0 and space.f_bavail == 0:
        return full(path)
    return _refused(path)
