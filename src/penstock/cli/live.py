"""The live view of a run on a terminal: a tree that redraws itself, and a timeline at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from penstock.cli.lines import said, summary
from penstock.cli.marks import MARKS
from penstock.cli.timeline import timeline
from penstock.cli.tree import Row, rows
from penstock.core.duration import format_seconds
from penstock.core.events import Event
from penstock.core.record import RunRecord

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

BAR_WIDTH: Final = 20
MIN_SECONDS: Final = 0.1
"""A run that ends sooner is not worth a live tree."""


class LiveView:
    """Draws the tree at every tick; what nodes say is printed above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="blue")
        self._said: list[Text] = []

    def event(self, event: Event, record: RunRecord) -> None:
        del record
        found = said(event)
        if found is not None:
            text, style = found
            for part in text.splitlines():
                self._said.append(Text.assemble((f"{event.node} │ ", "dim"), (part, style)))

    def tick(self, record: RunRecord, now: float) -> None:
        """Redraw."""
        if self._live is None:
            if not self._said and now - (record.started or now) < MIN_SECONDS:
                return
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._print_said()
        height = max(self._console.size.height - 3, 3)
        tree = drawn_tree(record, now, limit=height, spinner=self._spinner)
        self._live.update(Group(heading(record, now), tree), refresh=True)

    def close(self, record: RunRecord, now: float) -> None:
        """Take the tree down, and leave the timeline instead."""
        if self._live is not None:
            self._live.stop()
        self._print_said()
        if record.started is not None:
            self._console.print(heading(record, now))
            self._console.print(drawn_timeline(record, now, width=self._console.size.width))

    def _print_said(self) -> None:
        if self._said:
            self._console.print(*self._said, sep="\n", soft_wrap=True)
            self._said.clear()


def drawn_tree(
    record: RunRecord,
    now: float,
    *,
    fold: bool = True,
    limit: int | None = None,
    spinner: Spinner | None = None,
) -> RenderableType:
    """The tree of a run as a table; `spinner` stands for what runs."""
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=60)
    table.add_column(justify="right", no_wrap=True)
    for row in rows(record, now=now, fold=fold, limit=limit):
        table.add_row(*_cells(row, now, spinner))
    return table


def _cells(row: Row, now: float, spinner: Spinner | None) -> list[RenderableType]:
    mark = MARKS.get(row.state)
    symbol = mark.symbol if mark else ""
    if row.state == "running" and spinner is not None:
        symbol = str(spinner.render(now))
    label = Text.assemble(
        (row.guide, "dim"), (f"{symbol} " if symbol else "", mark.style if mark else ""), row.label
    )
    detail: RenderableType = Text(row.text, style="red" if row.state == "failed" else "dim")
    if row.fraction is not None:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=min(max(row.fraction, 0), 1), width=BAR_WIDTH)
        grid.add_row(bar, f"{row.fraction:4.0%}", detail)
        detail = grid
    time = format_seconds(row.seconds) if row.seconds is not None else ""
    return [label, row.kind, detail, time]


def heading(record: RunRecord, now: float) -> Text:
    """The run in one line: mark, flow, state, time, id."""
    mark = MARKS[record.state]
    if record.state.terminal:
        text = summary(record)
    else:
        text = (
            f"{mark.symbol} {record.flow} {record.state} {format_seconds(now - (record.started or now))}"
        )
    return Text.assemble((text, f"bold {mark.style}"), (f"  {record.fid}", "dim"))


def drawn_timeline(record: RunRecord, now: float, *, width: int) -> RenderableType:
    """The timeline as a table of bars."""
    found = timeline(record, now=now, width=8)
    label = max((len(bar.label) for bar in found.bars), default=0)
    label = min(label, max(width // 3, 8))
    found = timeline(record, now=now, width=max(width - label - 15, 8))
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1, no_wrap=True)
    table.add_column(width=label, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for bar in found.bars:
        cells = Text.assemble(
            *((cells, MARKS[state].style if state else "") for cells, state in bar.cells)
        )
        mark = MARKS[bar.state]
        table.add_row(Text(mark.symbol, style=mark.style), bar.label, cells, bar.time)
    return Group(table, Text(f"… {found.hidden} more", style="dim")) if found.hidden else table
