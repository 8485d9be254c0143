"""`penstock locks release`."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.exits import Exit
from penstock.cli.inputs import read_value
from penstock.cli.locks.completing import complete_lock, complete_locked
from penstock.cli.locks.desk import find_lock, opened_locks
from penstock.cli.locks.showing import how_to_answer

if TYPE_CHECKING:
    from penstock.cli.locks.desk import Asked
    from penstock.core.locks import Decision


@click.command()
@click.argument("fid", default="@", shell_complete=complete_locked)
@click.argument("lock", default="", shell_complete=complete_lock)
@click.option(
    "--input",
    "source",
    metavar="JSON|@FILE|-",
    help="The candidate; - reads stdin. Text may stand as it is.",
)
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="One field; may be repeated.")
@click.option(
    "--id",
    "key",
    default="",
    metavar="TEXT",
    help="Names the candidate: the same one again counts once.",
)
@options.as_json
@options.place
@options.kinds
@options.debug
@options.color
@pass_app
def release(
    app: App,
    fid: str,
    lock: str,
    *,
    source: str | None,
    pairs: tuple[str, ...],
    key: str,
    as_json: bool,
) -> Exit:
    """Submit a candidate for a lock, and tell what the flow decided about it.

    The flow may deny it: then the reasons are printed, the exit code is 1, and the lock stays
    open. Nobody else can deny a candidate. Without a LOCK it is the one of the run that is open.
    A run that no process executes is brought to its decision here, and then left again.
    """

    async def main() -> tuple[Asked, Decision, bool]:
        async with opened_locks(app, acting=True) as desk:
            found = await find_lock(desk, fid, lock)
            asked = found.lock
            if source is None and not pairs and asked.schema is not None:
                raise click.UsageError(f"say what to submit: {how_to_answer(found.fid, asked)}")
            value = read_value(source, pairs, asked.schema or {})
            decision = await desk.submit(found.fid, asked.lid, value, id=key or secrets.token_hex(8))
            return found, decision, await desk.is_left(found.fid)

    found, decision, left = asyncio.run(main())
    _report(app, found, decision, as_json=as_json)
    if left:
        app.console.hint(f"no process executes the run; `penstock runs resume {found.fid}` goes on")
    return Exit.COMPLETED if decision.released else Exit.FAILED


def _report(app: App, found: Asked, decision: Decision, *, as_json: bool) -> None:
    console = app.console
    if as_json:
        import msgspec

        from penstock.cli.results import print_json

        print_json(console, {"fid": found.fid, "lid": found.lock.lid, **msgspec.structs.asdict(decision),
                             "reasons": msgspec.to_builtins(decision.reasons)})  # fmt: skip
    elif decision.released:
        console.say(f"{console.style('✓', 'green')} {found.lock.name} released")
    else:
        reasons = "\n".join(f"  {reason}" for reason in decision.reasons)
        console.error(f"{found.lock.name} denied:\n{reasons}", "submit another one")
