"""`penstock runs cancel`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.exits import Exit
from penstock.cli.lookup import find_run
from penstock.cli.runs.desk import opened_runs
from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.cli.runs.desk import RunDesk
    from penstock.core.store import RunRow


@click.command()
@click.argument("fids", metavar="FID…", nargs=-1, required=True, shell_complete=complete_fid)
@click.option("--reason", default="", help="Kept with the run.")
@options.place
@options.kinds
@options.debug
@options.color
@pass_app
def cancel(app: App, fids: tuple[str, ...], *, reason: str) -> Exit:
    """End runs, and return when they have ended.

    A run that another process executes is ended by that process; one that nobody
    executes is ended here. What is done stays recorded: `penstock runs retry` goes on.
    """

    async def main() -> Exit:
        async with opened_runs(app, acting=True) as desk:
            rows = [await find_run(desk, fid) for fid in fids]
            return max([await _cancel(app, desk, row, reason) for row in rows])

    return asyncio.run(main())


async def _cancel(app: App, desk: RunDesk, row: RunRow, reason: str) -> Exit:
    if not row.state.terminal:
        await desk.cancel(row.fid, reason)
        row = await find_run(desk, row.fid)
    if row.state is RunState.CANCELLED:
        app.console.say(f"{row.fid} cancelled")
        return Exit.COMPLETED
    app.console.error(f"run {row.fid} is {row.state}: there is nothing to cancel")
    return Exit.FAILED
