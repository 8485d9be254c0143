"""What a document has wrong with it, collected while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.core.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.core.problems import Path, Place

MOST: Final = 100
"""Problems that are kept. A file that is no document at all has one in every line."""


class Unreadable(Exception):
    """Reading cannot go on; the findings hold the reason."""


class Findings:
    """The problems found so far, in the order of their discovery.

    A document is looked at in stages: its text, its specs, what its kinds make of them. A
    later stage builds on what an earlier one could not read, so whatever it finds at the
    same place is a consequence, and is not told.

    most: how many problems are kept.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self.problems: list[Problem] = []
        self.left_out = 0
        self.places: set[Path] = set()
        """What the problems are about, even those that are left out."""
        self._settled: frozenset[Path] = frozenset()

    @property
    def enough(self) -> bool:
        """Whether there are so many that nobody reads on, so that a hint is not worth looking for."""
        return len(self.problems) >= MOST

    def next_stage(self) -> None:
        """From here on, nothing more is said at or below the places found so far."""
        self._settled = frozenset(self.places)

    def doubt(self, path: Path) -> None:
        """Let later stages say nothing at or below `path`, though nothing is known to be wrong."""
        self.places.add(path)

    def doubted(self, path: Path) -> bool:
        """Whether an earlier stage found something at `path` or around it."""
        settled = self._settled
        return bool(settled) and any(path[:depth] in settled for depth in range(1, len(path) + 1))

    def doubts(self, path: Path) -> Iterator[Path]:
        """The places below `path` where earlier stages found something, as seen from there."""
        depth = len(path)
        return (place[depth:] for place in self._settled if place[:depth] == path)

    def report(
        self,
        message: str,
        path: Path = (),
        *,
        hint: str = "",
        at_key: bool = False,
        place: Place | None = None,
        about: Path | None = None,
    ) -> None:
        """Add one problem.

        at_key: the caret goes to the key of `path` instead of its value. about: what is
        wrong, when that is not what stands at `path`, as with a field that is missing.
        """
        about = path if about is None else about
        if self.doubted(about):
            return
        self.places.add(about)
        self._add(Problem(message, path, hint, place, at_key))

    def adopt(self, problems: Iterable[Problem]) -> None:
        """Add what was found elsewhere, each thing once."""
        for problem in problems:
            if problem not in self.problems:
                self._add(problem)

    def omitted(self) -> list[Problem]:
        """What says that there are more problems, if there are."""
        if not self.left_out:
            return []
        return [Problem(f"… and {self.left_out} more problems", hint="is this the right file?")]

    def absorb(self, other: Findings) -> None:
        """Add everything that another look at the same document found."""
        self.problems += other.problems
        self.places |= other.places
        self.left_out += other.left_out

    def _add(self, problem: Problem) -> None:
        if len(self.problems) < self._most:
            self.problems.append(problem)
        else:
            self.left_out += 1

    def expected(self, what: str, value: object, path: Path, *, hint: str = "") -> None:
        """Add the problem that `value` is not what belongs at `path`."""
        self.report(f"expected {what}, found {describe(value)}", path, hint=hint)


def describe(value: Any) -> str:
    """A value as a message names it, cut where it gets long."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f"the text {quote(value)}"
        case int() | float():
            return f"the number `{clip(str(value))}`"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case _:
            return "a list" if value else "an empty list"


def quote(text: str) -> str:
    """The text in backquotes, on one line."""
    return f"`{clip(text)}`"


def clip(text: str, width: int = 60) -> str:
    """The text on one line, cut to `width` characters."""
    line = "".join(char if char.isprintable() else "�" for char in text[: width + 1])
    return line if len(line) <= width else line[: width - 1] + "…"
