"""Folders of runs: the files that a run is given, and those that it leaves.

A run names its files by references such as `run:in/report.pdf`: wherever the folder is, and
wherever it is moved to, they stay the same, so they may be in the journal.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

from penstock.core.errors import NodeError

REFERENCE: Final = "run:"
"""What a reference begins with."""

GIVEN, LEFT = "in", "out"
"""The two folders in the folder of a run: what it was given, and what is offered for download."""


class RunFolders:
    """The folders of all runs of a runtime. root: where they are.

    Without one they are in a temporary place, which goes with the runtime. made: the ids of runs
    in memory whose folders are known to be there.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._is_temporary = root is None
        self.made: set[str] = set()

    @property
    def root(self) -> Path:
        """Where the folders are, which is made where it is missing."""
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="penstock-"))
        return self._root

    def of(self, fid: str) -> RunFolder:
        """The folder of a run, which need not be there yet."""
        return RunFolder(self, fid)

    def let_go(self, fid: str, *, keep: bool) -> None:
        """A run has left memory. keep: its files may still be asked for."""
        if fid in self.made and not keep:
            self.of(fid).remove()
        self.made.discard(fid)

    def close(self) -> None:
        """Let go of what is temporary."""
        if self._is_temporary and self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None


class RunFolder:
    """The folder of one run. It is made when it is first asked for."""

    __slots__ = ("_folders", "fid")

    def __init__(self, folders: RunFolders, fid: str) -> None:
        self._folders = folders
        self.fid = fid

    @property
    def root(self) -> Path:
        """Where the folders of all runs are."""
        return self._folders.root

    @property
    def place(self) -> Path:
        """Where it is, or would be."""
        name = quote(self.fid, safe="") or "%"
        return self._folders.root / (f"%2E{name[1:]}" if name.startswith(".") else name)

    @property
    def path(self) -> Path:
        """Where it is. Raises OSError when it cannot be made."""
        place = self.place
        if self.fid not in self._folders.made:
            for folder in (place, place / GIVEN, place / LEFT):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folders.made.add(self.fid)
        return place

    def find(self, text: str) -> Path:
        """The path that a reference names.

        Raises NodeError for one that leads out of the folder, also by a link.
        """
        inside = PurePosixPath(text.removeprefix(REFERENCE))
        if inside.is_absolute() or ".." in inside.parts or "\0" in text:
            raise _outside(text)
        folder = self.path.resolve()
        path = folder / inside
        if not path.resolve().is_relative_to(folder):
            raise _outside(text)
        return path

    def refer(self, path: Path) -> str:
        """The reference to a path in this folder. Raises ValueError for any other path."""
        return f"{REFERENCE}{path.relative_to(self.path).as_posix()}"

    def remove(self) -> None:
        """Remove it with all that is in it; one that is not there is none to remove."""
        shutil.rmtree(self.place, ignore_errors=True)
        self._folders.made.discard(self.fid)


def is_reference(text: str) -> bool:
    """Whether a text names a file of a run."""
    return text.startswith(REFERENCE)


def _outside(text: str) -> NodeError:
    return NodeError(
        f"`{text[:200]}` leads out of the run's folder",
        code="file.path",
        remedy=f"name a file inside of it, such as `{REFERENCE}{LEFT}/report.pdf`",
    )
