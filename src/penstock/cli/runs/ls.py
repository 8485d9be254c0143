"""`penstock runs ls`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.marks import MARKS
from penstock.core.duration import format_seconds
from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.core.store import RunRow


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice([str(state) for state in RunState]),
              help="Only runs in this state; may be repeated.")  # fmt: skip
@click.option("--flow", default="", metavar="NAME", help="Only runs of this flow.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--before", default="", metavar="FID", help="Go on behind this run: the next page.")
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def ls(app: App, *, states: tuple[str, ...], flow: str, limit: int, before: str, as_json: bool) -> None:
    """List runs, newest first."""

    async def look_up() -> list[RunRow]:
        store = app.open_store(create=False)
        await store.open()
        try:
            wanted = [RunState(state) for state in states]
            return await store.runs(states=wanted, flow=flow, before=before, limit=limit)
        finally:
            await store.close()

    rows = asyncio.run(look_up())
    if as_json:
        import json

        app.console.out(json.dumps([_plain(row) for row in rows]))
        return
    if not rows:
        app.console.say("no runs")
        return
    _print_table(app.console, rows)
    if len(rows) == limit:
        app.console.say(f"more: --before {rows[-1].fid}", "dim")


def _print_table(console: Console, rows: list[RunRow]) -> None:
    import time

    now = time.time()
    flow = max(len(row.flow) for row in rows)
    for row in rows:
        mark = MARKS[row.state]
        state = console.style(f"{mark.symbol} {row.state:9}", mark.style, stream=console.stdout)
        took = format_seconds((row.ended or now) - row.started)
        note = row.error.partition("\n")[0]
        if row.state is RunState.WAITING and row.wake_at is not None:
            note = f"goes on {_when(row.wake_at)}"
        console.out(
            f"{row.fid}  {state}  {row.flow:{flow}}  {_when(row.started)}  {took:>7}  {note}".rstrip()
        )


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def _plain(row: RunRow) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain
