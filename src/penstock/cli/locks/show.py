"""`penstock locks show`."""

from __future__ import annotations

import asyncio

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.locks.completing import complete_lock, complete_locked
from penstock.cli.locks.desk import Asked, find_lock, opened_locks
from penstock.cli.locks.showing import plain, print_lock


@click.command()
@click.argument("fid", default="@", shell_complete=complete_locked)
@click.argument("lock", default="", shell_complete=complete_lock)
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def show(app: App, fid: str, lock: str, *, as_json: bool) -> None:
    """Show what a lock asks for, what it shows, and what was submitted to it.

    Without a LOCK it is the one of the run that is open.
    """

    async def look_up() -> Asked:
        async with opened_locks(app) as desk:
            return await find_lock(desk, fid, lock)

    found = asyncio.run(look_up())
    if as_json:
        from penstock.cli.results import print_json

        print_json(app.console, plain(found))
    else:
        print_lock(app.console, found)
