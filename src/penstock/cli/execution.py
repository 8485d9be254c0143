"""Executing a run in the foreground: what is shown meanwhile, and what the signals do.

The first Ctrl-C cancels the run, the second leaves it as it is; so do SIGTERM and SIGHUP.
Whatever was committed stays: a run that was left goes on with `penstock runs resume`.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.cli.app import App
from penstock.cli.exits import Exit, of_state
from penstock.cli.results import print_error, print_outcome, print_result
from penstock.cli.signals import LEAVE, signals
from penstock.core.errors import RunCancelled, RunError, RunNotFound
from penstock.core.events import Event
from penstock.core.payload import Error, Payload
from penstock.core.record import RunRecord
from penstock.core.states import RunState

if TYPE_CHECKING:
    from penstock.engine.run import Run

TICK_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 1.0


class View(Protocol):
    """Shows a run while it goes on."""

    def event(self, event: Event, record: RunRecord) -> None:
        """Take an event that the record has just taken."""

    def tick(self, record: RunRecord, now: float) -> None:
        """Redraw, at `now` in epoch seconds."""

    def close(self, record: RunRecord, now: float) -> None:
        """Take down what was drawn, and leave what should stay."""


class Stopped(Exception):
    """The run was left before its end. at_once: without waiting for what its nodes clean up."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once


def views(app: App, *, quiet: bool = False, events: bool = False, detail: bool = False) -> list[View]:
    """What shows a run here: by flags and settings, and by what stderr is."""
    from penstock.cli.lines import EventView, LineView

    console = app.console
    if events:
        return [EventView(console)]
    wanted = app.settings["progress"]
    if quiet or wanted == "none":
        return []
    if wanted == "live" or (wanted == "auto" and console.interactive):
        from penstock.cli.live import LiveView

        return [LiveView(console.rich(console.stderr))]
    return [LineView(console, detail=detail)]


async def follow(events: AsyncIterator[Event], record: RunRecord, shown: Sequence[View]) -> None:
    """Take a stream to its end, and show it."""

    async def redraw() -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for view in shown:
                view.tick(record, time.time())

    ticker = asyncio.create_task(redraw(), name="penstock:redraw") if shown else None
    try:
        async for event in events:
            record.apply(event)
            for view in shown:
                view.event(event, record)
    finally:
        if ticker is not None:
            await _end(ticker)
        for view in shown:
            view.close(record, time.time())


async def execute(app: App, run: Run, shown: Sequence[View]) -> RunRecord:
    """Follow a run that this process executes until it ends.

    Raises Stopped when it was left before, and StoreError when its journal broke.
    """
    record, began = RunRecord(fid=run.fid), time.time()
    following = asyncio.create_task(follow(run.events(), record, shown), name="penstock:follow")
    ending = asyncio.create_task(run.result(), name="penstock:result")
    stopping = asyncio.get_running_loop().create_future()
    cancelling: list[asyncio.Task[None]] = []

    def stop(*, at_once: bool) -> None:
        if not stopping.done():
            stopping.set_result(at_once)

    def interrupt() -> None:
        if cancelling:
            stop(at_once=True)
            return
        if app.console.interactive:
            app.console.say()  # behind the ^C that the terminal has shown
        app.console.say("cancelling; Ctrl-C again leaves the run as it is, to be resumed", "dim")
        cancelling.append(asyncio.create_task(run.cancel(reason="Ctrl-C"), name="penstock:cancel"))

    def leave_run(number: signal.Signals) -> None:
        if number.name == "SIGHUP":
            app.console.hang_up()
        stop(at_once=False)

    leaving = {number: partial(leave_run, number) for number in LEAVE}
    with signals({signal.SIGINT: interrupt, **leaving}, stuck=lambda: report_stopped(app, run.fid)):
        try:
            await asyncio.wait((ending, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                raise Stopped(at_once=stopping.result())
            outcome = _outcome(ending)
            if await _is_recorded(run):
                await following
            else:
                _fill(record, outcome, time.time() - began)
        finally:
            await _end(following, ending, *cancelling)
    return record


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks whose outcome nobody needs any more, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _outcome(ending: asyncio.Task[Payload]) -> Payload | BaseException:
    """The result of a run, or the error that says how it ended. Raises StoreError."""
    error = asyncio.CancelledError() if ending.cancelled() else ending.exception()
    if error is None:
        return ending.result()
    if isinstance(error, RunError | asyncio.CancelledError):
        return error
    raise error


async def _is_recorded(run: Run) -> bool:
    try:
        await run.row()
    except RunNotFound:
        return False
    return True


def _fill(record: RunRecord, outcome: Payload | BaseException, seconds: float) -> None:
    """What is known of a run that recorded nothing."""
    record.duration_ms = seconds * 1000
    if not isinstance(outcome, BaseException):
        record.state, record.result = RunState.COMPLETED, outcome
    elif isinstance(outcome, RunCancelled | asyncio.CancelledError):
        record.state = RunState.CANCELLED
    else:
        record.state = RunState.FAILED
        own = getattr(outcome, "error", None)
        record.error = own if isinstance(own, Error) else Error.from_exception(outcome)


def report(app: App, record: RunRecord, *, as_json: bool = False, durable: bool = True) -> Exit:
    """Print the outcome of a run and return the exit code that tells it."""
    console = app.console
    kept = durable and record.seq > 0
    goes_on = f"`penstock runs retry {record.fid}` goes on from what is done" if kept else ""
    if as_json:
        print_outcome(console, record)
        return of_state(record.state)
    match record.state:
        case RunState.COMPLETED:
            print_result(console, record.result)
            for failure in record.failures:
                console.warn(f"a node failed, and the flow went on: {failure}")
        case RunState.FAILED:
            if record.error is not None:
                print_error(console, record.error)
            console.hint(goes_on)
        case RunState.CANCELLED:
            reason = f": {record.reason}" if record.reason else ""
            console.say(f"cancelled{reason}", "yellow")
            console.hint(goes_on)
        case _:
            console.say(f"the run is {record.state}")
    return of_state(record.state)


def report_stopped(app: App, fid: str, *, durable: bool = True) -> Exit:
    """Say how a run that was left can go on."""
    app.console.say("stopped", "yellow")
    if durable:
        app.console.hint(f"`penstock runs resume {fid}` goes on from what is done")
    return Exit.CANCELLED


def tell_of_cleaning(app: App) -> None:
    """Say what is waited for, when the nodes of a run that was left take long to clean up."""
    text = "stopping: waiting for what the nodes clean up; another signal ends at once"
    asyncio.get_running_loop().call_later(PATIENCE_SECONDS, app.console.say, text, "dim")
