"""Files with specs or values: what `-f` names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from penstock.core.errors import DocumentError

if TYPE_CHECKING:
    from penstock.core.problems import Problem
    from penstock.document.reader import Examination
    from penstock.document.source import Source

Command = TypeVar("Command", bound=Callable[..., Any])
STDIN: Final = "-"
_SUFFIXES: Final = (".yaml", ".yml", ".json")


def option(*, required: bool) -> Callable[[Command], Command]:
    """`-f`: a file, a folder, or `-`; may be repeated."""
    return click.option(
        *("-f", "--file", "files"),
        multiple=True,
        required=required,
        metavar="FILE",
        help="A YAML or JSON file, a folder of them, or - for stdin; may be repeated.",
    )


def examine_specs(files: Sequence[str]) -> list[Examination]:
    """The documents of specs in all files, with what is wrong with them.

    Raises DocumentError with every file that cannot be read at all.
    """
    from penstock.document.reader import examine

    return list(_each(files, lambda raw, file: examine(raw, file=file)))


def read_values(files: Sequence[str]) -> list[Source]:
    """The documents of values in all files. Raises DocumentError, which shows no line of theirs."""
    from penstock.document.source import read_source, without_text

    def read(raw: bytes, file: str) -> Source:
        try:
            return read_source(raw, file=file)
        except DocumentError as error:
            raise DocumentError(without_text(error.problems)) from None

    return list(_each(files, read))


Found = TypeVar("Found")


def _each(files: Sequence[str], read: Callable[[bytes, str], Found]) -> Iterator[Found]:
    from penstock.document.reader import load

    problems: list[Problem] = []
    for name in files:
        for file in _expanded(name):
            try:
                if file == STDIN:
                    yield read(sys.stdin.buffer.read(), "<stdin>")
                else:
                    yield read(load(file), file)
            except DocumentError as error:
                problems += error.problems
    if problems:
        raise DocumentError(problems)


def _expanded(name: str) -> list[str]:
    """The file itself, or of a folder every document in it and below."""
    folder = Path(name)
    if name == STDIN or not folder.is_dir():
        return [name]
    found = sorted(str(path) for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    if not found:
        raise click.UsageError(f"the folder {name} holds no {', '.join(_SUFFIXES)}")
    return found
