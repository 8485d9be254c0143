"""`penstock runs resume` and `penstock runs retry`."""

from __future__ import annotations

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.exits import Exit


@click.command()
@click.argument("fid", required=False, shell_complete=complete_fid)
@click.option("--all", "every", is_flag=True, help="All unfinished runs that no process executes.")
@click.option("--events", is_flag=True, help="Print every event as a line of JSON on stderr.")
@options.host
@options.execution
@pass_app
def resume(app: App, fid: str | None, *, every: bool, events: bool, quiet: bool, as_json: bool) -> Exit:
    """Go on with unfinished runs, from what is done.

    Without FID, the one unfinished run that no process executes.
    """
    from penstock.cli.conducting.conductor import Shown, conductor

    if fid and every:
        raise click.UsageError("give a FID or --all, not both")
    if every:
        return conductor(app).resume_all(quiet=quiet)
    return conductor(app).resume(fid, Shown(quiet=quiet, events=events, as_json=as_json))


@click.command()
@click.argument("fid", default="@", shell_complete=complete_fid)
@click.option("--from-start", is_flag=True, help="Do again what is done, too.")
@click.option(
    "--from",
    "node",
    default="",
    metavar="NODE",
    help="Do again this node, and what lies behind it: its path, as `runs show` has it.",
)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="PORT=VALUE",
    help="What an in-port of that node gets this time; may be repeated.",
)
@click.option("--events", is_flag=True, help="Print every event as a line of JSON on stderr.")
@options.host
@options.execution
@pass_app
def retry(
    app: App,
    fid: str,
    *,
    from_start: bool,
    node: str,
    pairs: tuple[str, ...],
    events: bool,
    quiet: bool,
    as_json: bool,
) -> Exit:
    """Run an ended run again, as a new run that goes on from what is done.

    \b
    penstock runs retry @ --from parse                      # parse, and what lies behind it
    penstock runs retry @ --from parse --set json='"[1]"'   # with another input
    """  # noqa: D301 - click wants the character itself
    from penstock.cli.conducting.conductor import Again, Shown, conductor
    from penstock.cli.inputs import read_inputs

    if from_start and node:
        raise click.UsageError("give --from-start or --from, not both")
    if pairs and not node:
        raise click.UsageError("--set gives an in-port of a node something else; name it with --from")
    again = Again(fid, from_start=from_start, node=node, inputs=read_inputs(None, pairs, {}))
    return conductor(app).retry(again, Shown(quiet=quiet, events=events, as_json=as_json))
