"""`penstock runs ls`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.marks import MARKS
from penstock.cli.runs.desk import opened_runs
from penstock.core.duration import Duration, format_seconds
from penstock.core.states import RunState
from penstock.core.store import RunQuery

if TYPE_CHECKING:
    from penstock.cli.console import Console
    from penstock.core.store import RunRow


def as_moment(_: click.Context, __: click.Parameter, text: str) -> float | None:
    """Epoch seconds of a date, in this machine's time zone, or of a duration ago."""
    import time

    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        pass
    try:
        return time.time() - Duration.parse(text).total_seconds()
    except ValueError:
        raise click.BadParameter(
            f"`{text}` is neither a date such as 2026-11-20T08:00 nor a duration such as 2h"
        ) from None


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice([str(state) for state in RunState]),
              help="Only runs in this state; may be repeated.")  # fmt: skip
@click.option("--flow", default="", metavar="NAME", help="Only runs of this flow.")
@click.option("--launcher", default="", metavar="ID", help="Only runs that this principal launched.")
@click.option(
    "--since",
    default="",
    metavar="WHEN",
    callback=as_moment,
    help="Only runs that began since then: `2h` ago, or a date such as 2026-11-20.",
)
@click.option("--until", default="", metavar="WHEN", callback=as_moment,
              help="Only runs that began before.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--before", default="", metavar="FID", help="Go on behind this run: the next page.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def ls(
    app: App,
    *,
    states: tuple[str, ...],
    flow: str,
    launcher: str,
    since: float | None,
    until: float | None,
    limit: int,
    before: str,
    as_json: bool,
) -> None:
    """List runs, newest first."""
    wanted = RunQuery(
        states=tuple(map(RunState, states)),
        flow=flow,
        launcher=launcher,
        since=since,
        until=until,
        before=before,
        limit=limit,
    )

    async def look_up() -> list[RunRow]:
        async with opened_runs(app) as desk:
            return await desk.runs(wanted)

    rows = asyncio.run(look_up())
    if as_json:
        import msgspec

        from penstock.cli.results import print_json

        print_json(app.console, msgspec.to_builtins(rows))
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
    table = [_texts(row, now) for row in rows]
    width = {name: max(len(texts[name]) for texts in table) for name in table[0]}
    shown = _fitting(width, console.columns)
    for row, texts in zip(rows, table, strict=True):
        style = MARKS[row.state].style
        cells = [
            console.style(text, style, stream=console.stdout) if name in ("mark", "state") else text
            for name in shown
            for text in [f"{texts[name]:{width[name]}}"]
        ]
        console.out("  ".join(cells).rstrip())


def _texts(row: RunRow, now: float) -> dict[str, str]:
    """What a line says, by the name of its column."""
    note = row.error.partition("\n")[0]
    if row.state is RunState.WAITING and row.wake_at is not None:
        note = f"goes on {_when(row.wake_at)}"
    took = format_seconds((row.ended or now) - row.started)
    return {
        "fid": row.fid,
        "mark": MARKS[row.state].symbol,
        "state": f"{MARKS[row.state].symbol} {row.state}",
        "flow": row.flow,
        "started": _when(row.started),
        "took": f"{took:>7}",
        "note": note,
    }


def _fitting(width: Mapping[str, int], columns: int | None) -> list[str]:
    """The columns that a terminal has room for; those that say least are left out first."""
    shown = [name for name in width if name != "mark"]
    for name in ("started", "took", "state", "note"):
        if columns is None or sum(width[one] + 2 for one in shown if one != "note") - 2 <= columns:
            break
        if name == "state":
            shown.insert(1, "mark")
        shown.remove(name)
    return shown


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
