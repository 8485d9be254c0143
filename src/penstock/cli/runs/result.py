"""`penstock runs result`."""

from __future__ import annotations

import asyncio

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.exits import Exit
from penstock.cli.lookup import find_run
from penstock.cli.runs.desk import opened_runs
from penstock.core.record import RunRecord


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option("--wait", is_flag=True, help="Wait until the run ends.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def result(app: App, fid: str, *, wait: bool, as_json: bool) -> Exit:
    """Print the result of a run; the exit code tells how it ended."""
    from penstock.cli.execution import report

    async def main() -> RunRecord:
        async with opened_runs(app) as desk:
            row = await find_run(desk, fid)
            if not wait:
                return RunRecord.fold(await desk.events(row.fid), fid=row.fid)
            return RunRecord.fold([event async for event in desk.follow(row.fid)], fid=row.fid)

    record = asyncio.run(main())
    if not record.state.terminal:
        app.console.error(
            f"run {record.fid} has not ended: it is {record.state}", "wait for it with --wait"
        )
        return Exit.FAILED
    return report(app, record, as_json=as_json)
