"""What is wrong with a document, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""A place in a document: keys and list indexes from its root."""


class Place(msgspec.Struct, frozen=True):
    """A place in a text. `line` and `column` count from 1; `text` is the whole line.

    Data that never was a text has no lines: `line` is 0 there.
    """

    file: str
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: what was found, and what would be right.

    at_key: the last key of `path` is what is wrong (an unknown field), not its value.
    """

    message: str
    path: Path = ()
    hint: str = ""
    place: Place | None = None
    at_key: bool = False

    def __str__(self) -> str:
        where = str(self.place) if self.place else ""
        path = format_path(self.path)
        head = ": ".join(part for part in (where, path, self.message) if part)
        lines = [head]
        if self.place and self.place.text.strip():
            gutter = f"{self.place.line:>5} | "
            excerpt, caret = _excerpt(self.place.text, self.place.column - 1)
            lines.append(f"{gutter}{excerpt}".rstrip())
            lines.append(f"{' ' * (len(gutter) - 2)}| {' ' * caret}^")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


_WIDTH: Final = 110
"""Characters of a line that a problem shows; minified JSON has lines of any length."""


def _excerpt(text: str, offset: int) -> tuple[str, int]:
    """The part of a line around `offset`, and the offset within that part."""
    # One column for one character, so that the caret stands where it should.
    text = "".join(char if char.isprintable() else " " for char in text)
    if len(text) <= _WIDTH:
        return text, offset
    start = max(0, min(offset - _WIDTH // 2, len(text) - _WIDTH))
    before, after = "…" if start else "", "…" if start + _WIDTH < len(text) else ""
    return f"{before}{text[start : start + _WIDTH]}{after}", offset - start + len(before)


def format_path(path: Path) -> str:
    """`("nodes", 1, "links", "body")` reads as `nodes[1].links.body`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def to_pointer(path: Path) -> str:
    """A place in a JSON document as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that was most likely meant, or None when none is close."""
    if len(name) > 100:
        return None
    import difflib  # only a problem needs it, and it would cost every start

    found = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return found[0] if found else None


def suggest(name: str, allowed: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest one, else what is allowed."""
    names = sorted(set(allowed))
    close = nearest(name, names)
    if close is not None:
        return f"did you mean `{close}`?"
    if not names:
        return ""
    return "allowed: " + ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
