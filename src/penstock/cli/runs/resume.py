"""`penstock runs resume` and `penstock runs retry`."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.completion import complete_fid
from penstock.cli.exits import Exit, of_state
from penstock.cli.lookup import find_run, orphans
from penstock.cli.marks import MARKS
from penstock.core.duration import format_seconds
from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.engine.loading import Loader
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime


@click.command()
@click.argument("fid", required=False, shell_complete=complete_fid)
@click.option("--all", "every", is_flag=True, help="All unfinished runs that no process executes.")
@click.option("--events", is_flag=True, help="Print every event as a line of JSON on stderr.")
@options.execution
@pass_app
def resume(app: App, fid: str | None, *, every: bool, events: bool, quiet: bool, as_json: bool) -> Exit:
    """Go on with unfinished runs, from what is done.

    Without FID, the one unfinished run that no process executes.
    """
    from penstock.cli.foreground import run_in_foreground

    if fid and every:
        raise click.UsageError("give a FID or --all, not both")
    loader = app.loader()
    if every:
        return _resume_all(app, loader, quiet=quiet)
    found = asyncio.run(_choose(app, fid))
    if found is None:
        if not quiet:
            app.console.say("nothing to resume")
        return Exit.COMPLETED
    return run_in_foreground(
        app,
        loader,
        lambda runtime: runtime.resume(found),
        quiet=quiet,
        events=events,
        as_json=as_json,
        create=False,
    )


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
    from penstock.cli.foreground import run_in_foreground
    from penstock.cli.inputs import read_inputs

    if from_start and node:
        raise click.UsageError("give --from-start or --from, not both")
    if pairs and not node:
        raise click.UsageError("--set gives an in-port of a node something else; name it with --from")
    inputs = read_inputs(None, pairs, {})

    async def begin(runtime: Runtime) -> Run:
        row = await find_run(runtime.store, fid)
        return await runtime.retry(row.fid, from_start=from_start, node=node, inputs=inputs)

    loader = app.loader()
    return run_in_foreground(
        app, loader, begin, quiet=quiet, events=events, as_json=as_json, create=False
    )


async def _choose(app: App, fid: str | None) -> str | None:
    """The full id of the run to resume; None when there is none. Raises click.UsageError."""
    store = app.open_store(create=False)
    await store.open()
    try:
        if fid is not None:
            row = await find_run(store, fid)
            if row.state.terminal:
                raise click.UsageError(
                    f"run {row.fid} is {row.state}; `penstock runs retry {row.fid}` runs it again"
                )
            return row.fid
        found = await orphans(store)
    finally:
        await store.close()
    if len(found) > 1:
        some = "\n".join(f"  {row.fid}  {row.flow} ({row.state})" for row in found[:10])
        raise click.UsageError(f"{len(found)} runs are unfinished; give a FID or --all\n{some}")
    return found[0].fid if found else None


def _resume_all(app: App, loader: Loader, *, quiet: bool) -> Exit:
    from penstock.cli.signals import LEAVE, leave, signals
    from penstock.engine.runtime import Runtime

    async def main() -> Exit:
        store = app.open_store(create=False)
        async with Runtime(
            store, loader=loader, recover=False, values_of=app.values_of(store)
        ) as runtime:
            resumed = await runtime.resume_all()
            if not resumed:
                if not quiet:
                    app.console.say("nothing to resume")
                return Exit.COMPLETED
            stopping = asyncio.get_running_loop().create_future()

            def stop() -> None:
                if not stopping.done():
                    stopping.set_result(None)

            handlers = dict.fromkeys((signal.SIGINT, *LEAVE), stop)
            with signals(handlers, stuck=lambda: None):
                if not quiet:
                    app.console.say(f"{len(resumed)} run{'s' * (len(resumed) > 1)} resumed")
                codes = await _ends(app, resumed, stopping, quiet=quiet)
        return _worst(app, codes)

    return leave(asyncio.run(main()))


async def _ends(
    app: App, runs: list[Run], stopping: asyncio.Future[None], *, quiet: bool
) -> list[Exit | BaseException]:
    """How each run ended; a CancelledError stands for one that was left when `stopping` came."""
    ends = [
        asyncio.create_task(_end_of(app, run, quiet=quiet), name=f"penstock:end:{run.fid}")
        for run in runs
    ]
    together = asyncio.gather(*ends, return_exceptions=True)
    await asyncio.wait((together, stopping), return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    return await asyncio.gather(*ends, return_exceptions=True)


async def _end_of(app: App, run: Run, *, quiet: bool) -> Exit:
    """Wait for the end of a run, and say how it ended; quiet: unless it completed."""
    from penstock.core.errors import RunError

    row = await run.row()
    if row.error and not row.state.terminal:
        app.console.error(f"{run.fid} {row.flow} cannot go on: {row.error}")
        return Exit.FAILED
    with suppress(RunError):  # how it ended is told by its row
        await run.result()
    row = await run.row()
    if quiet and row.state is RunState.COMPLETED:
        return Exit.COMPLETED
    mark = MARKS[row.state]
    took = format_seconds((row.ended or row.started) - row.started)
    text = f"{mark.symbol} {row.fid} {row.flow} {row.state} in {took}"
    app.console.say(f"{app.console.style(text, mark.style)}{': ' + row.error if row.error else ''}")
    return of_state(row.state)


def _worst(app: App, codes: list[Exit | BaseException]) -> Exit:
    """The code that tells the worst of several outcomes. Raises what is no outcome."""
    left = sum(isinstance(code, asyncio.CancelledError) for code in codes)
    for code in codes:
        if isinstance(code, BaseException) and not isinstance(code, asyncio.CancelledError):
            raise code
    if left:
        app.console.say("stopped", "yellow")
        app.console.hint(f"`penstock runs resume --all` goes on with {left}")
        return Exit.CANCELLED
    found = {code for code in codes if isinstance(code, Exit)}
    return next((code for code in (Exit.FAILED, Exit.CANCELLED) if code in found), Exit.COMPLETED)
