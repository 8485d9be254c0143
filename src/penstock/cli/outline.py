"""The tree of a run as plain lines: for what is shown once, however large it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from penstock.cli.console import Console
from penstock.cli.marks import MARKS
from penstock.cli.tree import Row
from penstock.core.duration import format_seconds

REMARK_WIDTH: Final = 60
NARROWEST: Final = 8
GAP: Final = "  "


class _Cells(NamedTuple):
    name: str
    kind: str
    remark: str
    time: str


class _Widths(NamedTuple):
    """The columns that each cell may take; 0 for one that is left out."""

    name: int
    kind: int
    remark: int
    time: int


def outline(found: Sequence[Row], console: Console, *, width: int | None = None) -> Iterator[str]:
    """A line for each row: branches and name, kind, remark, time.

    width: columns that the terminal has, or None for lines of any length.
    """
    cells = [_cells(row) for row in found]
    widths = _widths(cells, width)
    return (_line(row, texts, widths, console) for row, texts in zip(found, cells, strict=True))


def _cells(row: Row) -> _Cells:
    symbol = f"{MARKS[row.state].symbol} " if row.state in MARKS else ""
    done = f"{row.fraction:.0%} " if row.fraction is not None else ""
    time = format_seconds(row.seconds) if row.seconds is not None else ""
    return _Cells(f"{row.guide}{symbol}{row.label}", row.kind, f"{done}{row.text}".rstrip(), time)


def _widths(cells: Sequence[_Cells], width: int | None) -> _Widths:
    name, kind, remark, time = (
        max((_size(texts[column]) for texts in cells), default=0) for column in range(4)
    )
    remark = min(remark, REMARK_WIDTH)
    if width is not None:
        # What is said of a node gives way first, then its kind, then its name.
        excess = name + kind + remark + time + 3 * len(GAP) - width
        if excess > 0:
            remark, excess = _less(remark, excess)
        if excess > 0:
            kind, excess = _less(kind, excess)
        name = max(name - max(excess, 0), min(NARROWEST, name))
    return _Widths(name, kind, remark, time)


def _less(width: int, excess: int) -> tuple[int, int]:
    """A narrower column, none at all when too little is left of it, and what is still too much."""
    smaller = width - excess
    if smaller < NARROWEST:
        return 0, excess - width - (len(GAP) if width else 0)
    return smaller, 0


def _line(row: Row, texts: _Cells, widths: _Widths, console: Console) -> str:
    def styled(text: str, style: str) -> str:
        return console.style(text, style, stream=console.stdout)

    name = _fit(texts.name, widths.name)
    style = MARKS[row.state].style if row.state in MARKS else ""
    parts = [styled(name[: len(row.guide)], "dim") + styled(name[len(row.guide) :], style)]
    if widths.kind:
        parts.append(styled(_fit(texts.kind, widths.kind), "dim"))
    if widths.remark:
        parts.append(
            styled(_fit(texts.remark, widths.remark), "red" if row.state == "failed" else "dim")
        )
    return GAP.join([*parts, texts.time.rjust(widths.time)]).rstrip()


def _size(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, width: int) -> str:
    """The text in exactly so many columns."""
    size = _size(text)
    if size <= width:
        return text + " " * (width - size)
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1) + "…"
