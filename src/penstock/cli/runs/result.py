"""`penstock runs result`."""

from __future__ import annotations

import asyncio

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.exits import Exit
from penstock.cli.lookup import find_run
from penstock.core.record import RunRecord


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option("--wait", is_flag=True, help="Wait until the run ends.")
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def result(app: App, fid: str, *, wait: bool, as_json: bool) -> Exit:
    """Print the result of a run; the exit code tells how it ended."""
    from penstock.cli.execution import report

    async def main() -> RunRecord:
        store = app.open_store(create=False)
        await store.open()
        try:
            row = await find_run(store, fid)
            events = await store.events(row.fid)
            while wait and not events[-1].terminal:
                await store.changed(row.fid, after=events[-1].seq)
                events += await store.events(row.fid, after=events[-1].seq)
            return RunRecord.fold(events, fid=row.fid)
        finally:
            await store.close()

    record = asyncio.run(main())
    if not record.state.terminal:
        app.console.error(
            f"run {record.fid} has not ended: it is {record.state}", "wait for it with --wait"
        )
        return Exit.FAILED
    return report(app, record, as_json=as_json)
