"""Targets: which files a path in a document means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

_MAGIC: Final = re.compile(r"[*?[]")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Files of one folder, or below it.

    folder: absolute, without symbolic links. pattern: what the parts of a path below it have to
    match. ignore: patterns of what is left out. exact: the pattern is the name of one file.
    """

    folder: str
    pattern: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    exact: bool = False

    @classmethod
    def read(cls, text: str, *, recursive: bool, ignore: Sequence[str]) -> Target:
        """What a path means: a glob, a folder, or a file, which need not be there yet.

        A path that ends with `/` is a folder in any case.
        """
        path = Path(text).expanduser()
        magic = next((number for number, part in enumerate(path.parts) if _MAGIC.search(part)), None)
        if magic is not None:
            folder, pattern = Path(*path.parts[:magic]), path.parts[magic:]
        elif text.endswith("/") or os.path.isdir(path):  # noqa: PTH112
            folder, pattern = path, ("**", "*") if recursive else ("*",)
        else:
            return cls(folder=str(path.parent.resolve()), pattern=(path.name,), exact=True)
        return cls(folder=str(folder.resolve()), pattern=pattern, ignore=tuple(ignore))

    @property
    def name(self) -> str:
        """The path of the one file of an exact target."""
        return _join(self.folder, self.pattern[0])

    @property
    def deep(self) -> bool:
        """Whether folders below its own matter."""
        return len(self.pattern) > 1 or self.pattern == ("**",)

    def wants(self, path: str) -> bool:
        """Whether a file is one of these."""
        parts = self._below(path)
        return bool(parts) and self._allows(parts) and _fits(parts, self.pattern)

    def files(self, path: str) -> Iterator[str]:
        """The files of this target at or below a path, or what may be one.

        Folders that are left out are not entered.
        """
        if self.exact:
            if f"{self.name}/".startswith(f"{path}/"):
                yield self.name
            return
        if self.folder.startswith(f"{path}/"):
            path = self.folder
        if not os.path.isdir(path):  # noqa: PTH112 - it answers where pathlib raises
            if self.wants(path):
                yield path
            return
        if path != self.folder and not self._allows(self._below(path)):
            return
        for folder, folders, names in os.walk(path):
            inner = [name for name in folders if self._allows(self._below(_join(folder, name)))]
            folders[:] = inner if self.deep else []
            found = (_join(folder, name) for name in names)
            yield from (each for each in found if self.wants(each))

    def _below(self, path: str) -> list[str]:
        """The parts of a path below the folder; none for what is elsewhere."""
        start = _join(self.folder, "")
        return path[len(start) :].split("/") if path.startswith(start) else []

    def _allows(self, parts: list[str]) -> bool:
        return bool(parts) and not any(_ignored(parts, pattern) for pattern in self.ignore)


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _ignored(parts: list[str], pattern: str) -> bool:
    """A pattern without `/` may match any part of the path; another one matches its beginning."""
    if "/" not in pattern.rstrip("/"):
        return any(fnmatchcase(part, pattern.rstrip("/")) for part in parts)
    wanted = tuple(pattern.strip("/").split("/"))
    return any(_fits(parts[:length], wanted) for length in range(1, len(parts) + 1))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, part by part; `**` stands for any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or (bool(parts) and _fits(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
