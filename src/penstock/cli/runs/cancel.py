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
from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.engine.runtime import Runtime


@click.command()
@click.argument("fids", metavar="FID…", nargs=-1, required=True, shell_complete=complete_fid)
@click.option("--reason", default="", help="Kept with the run.")
@options.store
@options.kinds
@options.debug
@options.color
@pass_app
def cancel(app: App, fids: tuple[str, ...], *, reason: str) -> Exit:
    """End runs, and return when they have ended.

    A run that another process executes is ended by that process; one that nobody
    executes is ended here. What is done stays recorded: `penstock runs retry` goes on.
    """
    from penstock.engine.runtime import Runtime

    async def main() -> Exit:
        store, loader = app.open_store(create=False), app.loader()
        async with Runtime(store, loader=loader, recover=False) as runtime:
            rows = [await find_run(store, fid) for fid in fids]
            return max([await _cancel(app, runtime, row.fid, reason) for row in rows])

    return asyncio.run(main())


async def _cancel(app: App, runtime: Runtime, fid: str, reason: str) -> Exit:
    run = runtime.get(fid)
    before = await run.row()
    if not before.state.terminal:
        await run.cancel(reason)
    after = await run.row()
    if after.state is RunState.CANCELLED:
        app.console.say(f"{fid} cancelled")
        return Exit.COMPLETED
    app.console.error(f"run {fid} is {after.state}: there is nothing to cancel")
    return Exit.FAILED
