"""Going on with many runs at once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.cli.exits import Exit, of_state
from penstock.cli.marks import MARKS
from penstock.core.duration import format_seconds
from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.engine.loading import Loader
    from penstock.engine.run import Run


def resume_all(app: App, loader: Loader, *, quiet: bool) -> Exit:
    """Go on with every unfinished run that no process executes, until all have ended."""
    from penstock.cli.signals import LEAVE, leave, signals
    from penstock.engine.runtime import Runtime

    async def main() -> Exit:
        store = app.open_store(create=False)
        async with Runtime(
            store,
            loader=loader,
            recover=False,
            values_of=app.values_of(store),
            executors=app.executors(),
            files=app.files(),
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
