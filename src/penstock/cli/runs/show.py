"""`penstock runs show`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.lookup import find_run
from penstock.cli.results import print_json
from penstock.cli.runs.desk import opened_runs
from penstock.core.payload import to_json
from penstock.core.record import RunRecord
from penstock.core.store import INLINE

if TYPE_CHECKING:
    from penstock.cli.picture import Picture
    from penstock.core.events import Event
    from penstock.core.spec import FlowSpec
    from penstock.core.store import RunRow

MAX_ROWS: Final = 200
MAX_LINES: Final = 40
MAX_CHARACTERS: Final = 1000
"""How much of a tree, of a result and of one line is shown unless all is asked for."""


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option("--graph", is_flag=True, help="Draw the graph with the states of its nodes.")
@click.option(
    "--svg",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the graph as a picture; - for stdout.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Show all nodes, those in finished loops, too, and the whole result.",
)
@click.option("--events", is_flag=True, help="Print the events of the run, one line of JSON each.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def show(
    app: App, fid: str, *, graph: bool, target: Path | None, full: bool, events: bool, as_json: bool
) -> None:
    """Show a run: its nodes with state and time, its timeline, its result.

    FID may be abbreviated; without one, or with @, it is the newest run.
    """
    drawn = graph or target is not None
    found = asyncio.run(_look_up(app, fid, drawn=drawn))
    if events:
        for event in found.events:
            print_json(app.console, event.to_mapping())
    elif as_json:
        print_json(app.console, _plain(found.record))
    elif drawn:
        picture = _picture(found)
        if target is not None:
            _write_svg(app, picture, target)
        if graph:
            _print_graph(app, picture)
    else:
        _print(app, found, full=full)


class _Found(NamedTuple):
    """What is known of a run. graph: what it was made of, if it is one."""

    row: RunRow
    record: RunRecord
    graph: FlowSpec | None
    events: list[Event]


async def _look_up(app: App, fid: str, *, drawn: bool) -> _Found:
    async with opened_runs(app) as desk:
        row = await find_run(desk, fid)
        events = await desk.events(row.fid)
        record = RunRecord.fold(events, fid=row.fid)
        return _Found(row, record, await desk.graph(row) if drawn else None, events)


def _picture(found: _Found) -> Picture:
    from penstock.cli.picture import picture

    if found.graph is None:
        from penstock.cli.steps import picture_of_steps

        return picture_of_steps(found.record, now=time.time())
    return picture(found.graph, found.record, now=time.time())


def _write_svg(app: App, picture: Picture, target: Path) -> None:
    from penstock.cli.svg import svg

    text = svg(picture)
    if str(target) == "-":
        app.console.out(text.rstrip("\n"))
        return
    try:
        target.write_text(text, "utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write {target}: {error.strerror}") from error
    app.console.say(f"{app.console.style('✓', 'green')} {target}")


def _print_graph(app: App, picture: Picture) -> None:
    from itertools import groupby

    from penstock.cli.drawing import draw
    from penstock.cli.marks import MARKS

    console = app.console
    found = draw(picture)
    width, columns = max(map(len, found), default=0), console.columns
    if not found:
        console.say("nothing has begun yet")
    for row in found:
        pieces = []
        for state, cells in groupby(row[:columns], key=lambda cell: cell[1]):
            text = "".join(character for character, _ in cells)
            pieces.append(
                console.style(text, MARKS[state].style, stream=console.stdout) if state else text
            )
        console.out("".join(pieces).rstrip())
    if columns is not None and width > columns:
        console.hint(f"the graph is {width} columns wide, the terminal {columns}; --svg FILE draws it")


def _print(app: App, found: _Found, *, full: bool) -> None:
    from penstock.cli.live import drawn_timeline, heading

    row, record = found.row, found.record
    console, now = app.console, time.time()
    rich = console.rich()
    rich.print(heading(record, now))
    if record.inputs:
        console.out(f"inputs: {_some(to_json(record.inputs).decode(), full=full)}")
    if record.executor != INLINE:
        console.out(f"executor: {record.executor}")
    if row.error and not record.state.terminal:
        console.warn(row.error)
    _print_tree(app, record, now, full=full)
    for lock in record.open_locks:
        from penstock.cli.locks.showing import how_to_answer

        console.hint(f"waits at `{lock.title or lock.name}`: {how_to_answer(row.fid, lock)}")
    if record.nodes:
        console.out("")
        rich.print(drawn_timeline(record, now, width=rich.size.width))
    if record.error is not None:
        from penstock.cli.results import print_error

        print_error(console, record.error)
    elif record.result is not None:
        _print_result(app, record, full=full)


def _print_tree(app: App, record: RunRecord, now: float, *, full: bool) -> None:
    from penstock.cli.outline import outline
    from penstock.cli.tree import rows

    console = app.console
    found = rows(record, now=now, fold=not full)
    shown = found if full else rows(record, now=now, limit=MAX_ROWS)
    for text in outline(shown, console, width=console.columns):
        console.out(text)
    if len(shown) < len(found):
        console.hint(f"{len(found)} rows; `penstock runs show {record.fid} --full` shows them all")


def _print_result(app: App, record: RunRecord, *, full: bool) -> None:
    from penstock.cli.results import pretty

    text = record.result if isinstance(record.result, str) else pretty(record.result)
    lines = text.splitlines()
    shown = lines if full else [_some(line, full=full) for line in lines[:MAX_LINES]]
    app.console.out("\n" + "\n".join(shown))
    if len("\n".join(shown)) < len(text.rstrip("\n")):
        some = f"{len(lines)} lines" if len(lines) > MAX_LINES else "part of the result"
        app.console.hint(f"{some}; `penstock runs result {record.fid}` prints all of it")


def _some(line: str, *, full: bool) -> str:
    """The beginning of a line that is too long to be read."""
    return line if full or len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}…"


def _plain(record: RunRecord) -> dict[str, Any]:
    """The record for programs."""
    from penstock.cli.results import outcome

    nodes = [
        {
            "path": node.path,
            "kind": node.kind,
            "state": str(node.state),
            "attempts": node.attempts,
            "started": node.started,
            "ended": node.ended,
            "duration_ms": node.duration_ms,
            "outputs": node.outputs,
            "error": node.error,
        }
        for node in record.nodes.values()
    ]
    locks = [{"lid": lock.lid, "name": lock.name, "node": lock.node} for lock in record.open_locks]
    times = {"started": record.started, "ended": record.ended, "inputs": record.inputs}
    origin = {"revision": record.revision, "executor": record.executor}
    return {**outcome(record), **times, **origin, "nodes": nodes, "locks": locks}
