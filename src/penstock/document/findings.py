"""What a document has wrong with it, collected while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.core.problems import Problem

if TYPE_CHECKING:
    from penstock.core.problems import Path, Place

MOST: Final = 100
"""Problems that are kept. A file that is no document at all has one in every line."""


class Unreadable(Exception):
    """Reading cannot go on; the findings hold the reason."""


class Findings:
    """The problems found so far, in the order of their discovery."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.left_out = 0

    def report(
        self,
        message: str,
        path: Path = (),
        *,
        hint: str = "",
        at_key: bool = False,
        place: Place | None = None,
    ) -> None:
        """Add one problem; `at_key` puts the caret at the key of `path` instead of its value."""
        if len(self.problems) < MOST:
            self.problems.append(Problem(message, path, hint, place, at_key))
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
