"""Sources: the files of `--from`, and the specs that they put into the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.core.errors import DocumentError
from penstock.core.problems import Problem
from penstock.document.reader import Examination, examine_file
from penstock.engine.catalog.draft import Prune

if TYPE_CHECKING:
    from penstock.engine.catalog.draft import Change
    from penstock.engine.catalog.specs import Specs

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""The files of a folder that are documents."""


class Sources:
    """The documents at some paths. A folder stands for those directly in it.

    A file is the origin of its specs, whatever folder it is named from. The files of a folder
    have the folder as their common origin, so that a spec may move from one to another, and the
    specs of a file that is removed go with it.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(dict.fromkeys(paths))

    async def apply(self, specs: Specs, *, namespace: str) -> list[Change]:
        """Make the store hold what the files say, and no more of what they said before.

        Raises DocumentError with the problems of all files, and then nothing is changed.
        """
        found, origins = self._examine()
        return await specs.apply(found, namespace=namespace, origin=origins, prune=Prune.ORIGIN)

    def _examine(self) -> tuple[list[Examination], list[str]]:
        found: list[Examination] = []
        origins: list[str] = []
        problems: list[Problem] = []
        for file, origin in self._files():
            try:
                found.append(examine_file(file))
                origins.append(origin)
            except DocumentError as error:
                problems += error.problems
        if problems:
            told = [problem for each in found for problem in each.refusal().problems]
            raise DocumentError([*problems, *told])
        return found, origins

    def _files(self) -> list[_File]:
        files: list[_File] = []
        for path in map(Path, self.paths):
            if path.is_dir():
                files += [_File(file, str(path.resolve())) for file in documents_in(path)]
            else:
                files.append(_File(path, str(path.resolve())))
        if not files:
            there = ", ".join(f"`{path}`" for path in self.paths)
            hint = f"documents end with {', '.join(SUFFIXES)}"
            raise DocumentError([Problem(f"there is no document in {there}", hint=hint)])
        return files


class _File(NamedTuple):
    path: Path
    origin: str


def documents_in(folder: Path) -> list[Path]:
    """The documents directly in a folder, by name; hidden files are none. Raises DocumentError."""
    try:
        return sorted(
            file
            for file in folder.iterdir()
            if file.suffix in SUFFIXES and not file.name.startswith(".") and file.is_file()
        )
    except OSError as error:
        message = f"{folder}: the folder cannot be read: {error.strerror or error}"
        raise DocumentError([Problem(message, hint="check its owner and mode")]) from error
