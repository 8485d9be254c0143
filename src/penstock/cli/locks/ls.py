"""`penstock locks ls`."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.locks.completing import complete_locked
from penstock.cli.locks.desk import Asked, opened_locks
from penstock.cli.locks.showing import plain
from penstock.cli.lookup import find_run
from penstock.core.duration import format_seconds


@click.command()
@click.argument("fid", required=False, shell_complete=complete_locked)
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def ls(app: App, fid: str | None, *, as_json: bool) -> None:
    """List the open locks of all runs, or every lock of one run."""

    async def look_up() -> list[Asked]:
        async with opened_locks(app) as desk:
            if fid is None:
                return await desk.inbox()
            row = await find_run(desk.runs, fid)
            return [Asked(row.fid, row.flow, lock) for lock in await desk.locks(row.fid)]

    found = asyncio.run(look_up())
    if as_json:
        from penstock.cli.results import print_json

        print_json(app.console, [plain(asked) for asked in found])
    elif not found:
        app.console.say("no open locks" if fid is None else "no locks")
    else:
        from penstock.cli.documents.listing import print_table

        now = time.time()
        print_table(app.console, [_row(asked, now) for asked in found])


def _row(asked: Asked, now: float) -> dict[str, Any]:
    lock = asked.lock
    left = lock.expires - now if lock.open and lock.expires is not None else None
    return {
        "RUN": asked.fid,
        "LOCK": lock.lid,
        "FLOW": asked.flow,
        "NODE": lock.node,
        "STATE": str(lock.state),
        "OPEN FOR": format_seconds(max((lock.settled or now) - lock.opened, 0.0)),
        "LEFT": "" if left is None else format_seconds(max(left, 0.0)),
        "TITLE": lock.title or lock.name,
    }
