"""Where the values of a document stand in its text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from penstock.core.problems import Place

if TYPE_CHECKING:
    from penstock.core.problems import Path

MAX_DEPTH: Final = 100
"""Levels of lists and mappings that a document may have."""

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Mark:
    """Where a value stands, with the marks of what it contains. Lines and columns from 0.

    keys: where the keys of a mapping stand. size: how many values it is, itself included;
    height: how many levels of them.
    """

    __slots__ = ("column", "height", "keys", "line", "parts", "size")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.keys: dict[str, tuple[int, int]] = {}
        self.parts: dict[str | int, Mark] = {}
        self.size = 1
        self.height = 1

    def add(self, part: str | int, mark: Mark) -> None:
        """Note where one part of this value stands."""
        self.parts[part] = mark
        self.size += mark.size
        self.height = max(self.height, mark.height + 1)

    def moved(self, line: int, column: int) -> Mark:
        """The same parts under another head: an alias stands elsewhere than its anchor."""
        other = Mark(line, column)
        other.keys, other.parts = self.keys, self.parts
        other.size, other.height = self.size, self.height
        return other

    def find(self, path: Path, *, at_key: bool) -> tuple[int, int]:
        """Line and column of the value at `path`, else of the nearest value around it."""
        mark = self
        for depth, part in enumerate(path, start=1):
            below = mark.parts.get(part)
            if below is None:
                break
            if at_key and depth == len(path) and part in mark.keys:
                return mark.keys[str(part)]
            mark = below
        return mark.line, mark.column


class Text:
    """The text of a file, by line."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts: list[tuple[int, int]] | None = None

    def place(self, line: int, column: int) -> Place:
        """The place of a line and column that count from 0."""
        lines = self._lines()
        if line >= len(lines):
            # A parser finds the end of a text that breaks off in the line after the last.
            line, column = len(lines) - 1, lines[-1][1] - lines[-1][0]
        start, end = lines[line]
        return Place(self.file, line + 1, min(column, end - start) + 1, self.text[start:end])

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column, from 0, of the character at `offset`."""
        from bisect import bisect_right

        lines = self._lines()
        line = max(0, bisect_right(lines, (offset, len(self.text) + 1)) - 1)
        return line, offset - lines[line][0]

    def _lines(self) -> list[tuple[int, int]]:
        if self._starts is None:
            breaks = [found.span() for found in _BREAK.finditer(self.text)]
            starts = [0, *(end for _, end in breaks)]
            ends = [*(start for start, _ in breaks), len(self.text)]
            self._starts = list(zip(starts, ends, strict=True))
        return self._starts
