"""`penstock runs show`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.lookup import find_run
from penstock.core.payload import to_json
from penstock.core.record import RunRecord

if TYPE_CHECKING:
    from penstock.cli.picture import Picture
    from penstock.core.events import Event
    from penstock.core.store import RunRow


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
@click.option("--full", is_flag=True, help="Show all nodes, those inside of finished loops too.")
@click.option("--events", is_flag=True, help="Print the events of the run, one line of JSON each.")
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def show(
    app: App, fid: str, *, graph: bool, target: Path | None, full: bool, events: bool, as_json: bool
) -> None:
    """Show a run: its nodes with state and time, its timeline, its result.

    FID may be abbreviated; without one, or with @, it is the newest run.
    """
    found = asyncio.run(_look_up(app, fid))
    if events:
        for event in found.events:
            app.console.out(to_json(event.to_mapping()).decode())
    elif as_json:
        app.console.out(to_json(_plain(found.record)).decode())
    elif graph or target is not None:
        picture = _picture(found)
        if target is not None:
            _write_svg(app, picture, target)
        if graph:
            _print_graph(app, picture)
    else:
        _print(app, found, full=full)


class _Found(NamedTuple):
    """What the store holds of a run. revision: the document of what it runs, if it is there."""

    row: RunRow
    record: RunRecord
    revision: dict[str, Any] | None
    events: list[Event]


async def _look_up(app: App, fid: str) -> _Found:
    store = app.open_store(create=False)
    await store.open()
    try:
        row = await find_run(store, fid)
        events = await store.events(row.fid)
        record = RunRecord.fold(events, fid=row.fid)
        return _Found(row, record, await store.revision(row.revision), events)
    finally:
        await store.close()


def _picture(found: _Found) -> Picture:
    from penstock.cli.picture import picture
    from penstock.core.spec import from_document

    if found.row.source != "graph" or found.revision is None:
        raise click.UsageError(
            f"`{found.row.flow}` is a Python flow and has no graph; without --graph its steps are shown"
        )
    return picture(from_document(found.revision), found.record, now=time.time())


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
    for row in draw(picture):
        pieces = []
        for state, cells in groupby(row, key=lambda cell: cell[1]):
            text = "".join(character for character, _ in cells)
            pieces.append(
                console.style(text, MARKS[state].style, stream=console.stdout) if state else text
            )
        console.out("".join(pieces).rstrip())


def _print(app: App, found: _Found, *, full: bool) -> None:
    from penstock.cli.live import drawn_timeline, drawn_tree, heading
    from penstock.cli.results import pretty

    row, record = found.row, found.record
    console, now = app.console, time.time()
    rich = console.rich()
    rich.print(heading(record, now))
    if record.inputs:
        console.out(f"inputs: {to_json(record.inputs).decode()}")
    if row.error and not record.state.terminal:
        console.warn(row.error)
    rich.print(drawn_tree(record, now, fold=not full))
    if record.nodes:
        console.out("")
        rich.print(drawn_timeline(record, now, width=rich.size.width))
    if record.error is not None:
        from penstock.cli.results import print_error

        print_error(console, record.error)
    elif record.result is not None:
        console.out(f"\n{record.result if isinstance(record.result, str) else pretty(record.result)}")


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
    times = {"started": record.started, "ended": record.ended, "inputs": record.inputs}
    return {**outcome(record), **times, "revision": record.revision, "nodes": nodes}
