"""`penstock runs watch` and `penstock runs logs`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.exits import Exit
from penstock.cli.lookup import find_run
from penstock.cli.results import print_json
from penstock.cli.runs.desk import opened_runs
from penstock.core.record import RunRecord

if TYPE_CHECKING:
    from penstock.core.events import Event


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option("--events", is_flag=True, help="Print every event as a line of JSON on stderr.")
@options.as_json
@options.place
@options.progress
@options.debug
@options.color
@pass_app
def watch(app: App, fid: str, *, events: bool, as_json: bool) -> Exit:
    """Follow a run until it ends, wherever it is executed.

    Ctrl-C stops watching, and the run goes on. The exit code tells how the run ended.
    """
    from penstock.cli.execution import follow, report, views

    async def main() -> RunRecord:
        async with opened_runs(app) as desk:
            row = await find_run(desk, fid)
            if not row.state.terminal and not await desk.executed(row):
                app.console.hint(f"no process executes it now; `penstock runs resume {row.fid}` goes on")
            record = RunRecord(fid=row.fid)
            shown = views(app, events=events, detail=True)
            await follow(desk.follow(row.fid), record, shown)
        return record

    return report(app, asyncio.run(main()), as_json=as_json)


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option("--follow", "-f", "following", is_flag=True, help="Wait for more until the run ends.")
@click.option("--node", default="", metavar="NAME", help="Only what this node said.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def logs(app: App, fid: str, *, following: bool, node: str, as_json: bool) -> None:
    """Print what the nodes of a run said: messages, stdout and stderr."""
    from penstock.cli.lines import said

    console = app.console

    def show(event: Event) -> None:
        words = said(event)
        if words is None or (node and node not in event.node.split("/") and node != event.node):
            return
        if as_json:
            print_json(console, event.to_mapping())
            return
        text, style = words
        gutter = console.style(f"{event.node} │", "dim", stream=console.stdout)
        for part in text.splitlines():
            console.out(f"{gutter} {console.style(part, style, stream=console.stdout)}")

    async def main() -> None:
        async with opened_runs(app) as desk:
            row = await find_run(desk, fid)
            if following:
                async for event in desk.follow(row.fid):
                    show(event)
            else:
                for event in await desk.events(row.fid):
                    show(event)

    asyncio.run(main())
