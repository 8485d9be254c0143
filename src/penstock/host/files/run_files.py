"""The files of a run, as clients may see them: those in its folders `in` and `out`.

Whoever runs a flow may put anything into the run's folder. So nothing is followed here that
leads elsewhere: each component of a name is opened by itself, below the one before, and never
through a link. What begins with a dot is not offered. Everything here blocks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from penstock.engine.folder import GIVEN, LEFT

SIDES: Final = (GIVEN, LEFT)
_LONGEST_NAME: Final = 4096
_STEP: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE: Final = _STEP | os.O_NONBLOCK  # a pipe would wait for somebody to write


class RunFile(NamedTuple):
    """A file of a run. name: with its side, such as `out/report.pdf`. modified: epoch seconds."""

    name: str
    size_bytes: int
    modified: float


class OpenFile(NamedTuple):
    """A file of a run that is open for reading. tag: differs when its content does."""

    content: BinaryIO
    name: str
    size_bytes: int
    modified: float
    tag: str


def list_files(folder: Path) -> list[RunFile]:
    """The files of a run in the order of their names; none where it has no folder."""
    return sorted(found for side in SIDES for found in _below(folder, side))


def open_file(folder: Path, name: str) -> OpenFile | None:
    """A file of a run by its name; None when there is none that clients may see."""
    parts = name.split("/")
    if (
        parts[0] not in SIDES
        or len(parts) < 2
        or len(name) > _LONGEST_NAME
        or not all(map(_offered, parts))
    ):
        return None
    with suppress(OSError, ValueError):  # nothing is there, or something else; NUL, half a surrogate
        descriptor = _descend(folder, parts, _FILE)
        found = os.fstat(descriptor)
        content = os.fdopen(descriptor, "rb", buffering=0)
        if stat.S_ISREG(found.st_mode):
            tag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
            return OpenFile(content, name, found.st_size, found.st_mtime, tag)
        content.close()
    return None


def _offered(part: str) -> bool:
    return part != "" and not part.startswith(".")


def _descend(folder: Path, parts: list[str], last: int) -> int:
    """A descriptor of what is at the end of the way, opened with the flags `last`.

    Raises OSError or ValueError.
    """
    descriptor = os.open(folder, _STEP | os.O_DIRECTORY)
    for part in parts[:-1]:
        descriptor = _step(descriptor, part, _STEP | os.O_DIRECTORY)
    return _step(descriptor, parts[-1], last)


def _step(descriptor: int, part: str, flags: int) -> int:
    try:
        return os.open(part, flags, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _below(folder: Path, side: str) -> Iterator[RunFile]:
    """The files on a side of a run's folder. What is gone, or closed to us, is left out."""
    pending = [[side]]
    while pending:
        parts = pending.pop()
        with suppress(OSError), _entries(folder, parts) as entries:
            for entry in entries:
                own = [*parts, entry.name]
                name = "/".join(own)
                if not _offered(entry.name) or not _can_be_said(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(own)
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        yield RunFile(name, found.st_size, found.st_mtime)


@contextmanager
def _entries(folder: Path, parts: list[str]) -> Iterator[Iterator[os.DirEntry[str]]]:
    """What is in a folder of a run. Raises OSError."""
    descriptor = _descend(folder, parts, _STEP | os.O_DIRECTORY)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)


def _can_be_said(name: str) -> bool:
    """Whether a name can be asked for: of bytes that are no text, no address can be made."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return len(name) <= _LONGEST_NAME
