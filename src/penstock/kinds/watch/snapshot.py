"""Snapshots: what was known of the files, and what has changed since.

The notices of an operating system say where to look, and no more: they come in bursts, say
`created` of a file that replaces another, and nothing of what is in a folder that was moved. So
what a change is follows from comparing with what was known.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from enum import StrEnum, auto
from pathlib import Path
from typing import NamedTuple

from penstock.kinds.watch.target import Target


class Happening(StrEnum):
    """What became of a file."""

    CREATED = auto()
    MODIFIED = auto()
    DELETED = auto()


class Change(NamedTuple):
    """One file that changed. size_bytes: None when it is gone."""

    happening: Happening
    path: str
    size_bytes: int | None = None


class _Mark(NamedTuple):
    """What tells one state of a file from another."""

    modified_ns: int
    size_bytes: int
    inode: int


class Snapshot:
    """The files of some targets as they were last seen."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._known: dict[str, _Mark] = {}

    def changes(self, touched: Iterable[str]) -> list[Change]:
        """What changed at or below these paths: what is gone, then the rest, the oldest first."""
        gone: list[Change] = []
        there: list[tuple[int, Change]] = []
        for path in self._candidates(list(touched)):
            before, now = self._known.pop(path, None), _mark(path)
            if now is not None:
                self._known[path] = now
            if now is None and before is not None:
                gone.append(Change(Happening.DELETED, path))
            elif now is not None and now != before:
                happening = Happening.CREATED if before is None else Happening.MODIFIED
                there.append((now.modified_ns, Change(happening, path, now.size_bytes)))
        return [*gone, *(change for _, change in sorted(there))]

    def everything(self) -> list[Change]:
        """What changed anywhere."""
        return self.changes({target.folder for target in self._targets})

    def _candidates(self, touched: list[str]) -> list[str]:
        found = {path for target in self._targets for place in touched for path in target.files(place)}
        # One that is a symbolic link changes when another name in its folder does.
        found |= {each.name for each in self._targets if each.exact}
        found |= self._known.keys() & set(touched)
        below = tuple(f"{place.rstrip('/')}/" for place in touched if place not in self._known)
        return sorted(found | {path for path in self._known if path.startswith(below)})


def _mark(path: str) -> _Mark | None:
    try:
        found = Path(path).stat()
    except OSError:  # gone, or out of reach, which is the same to who watches
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return _Mark(found.st_mtime_ns, found.st_size, found.st_ino)
