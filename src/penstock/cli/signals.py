"""Signals of the process, and its end when something does not let it end."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

from penstock.cli.exits import Exit

LEAVE: Final = [
    signal.Signals[name]
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK")
    if name in signal.Signals.__members__
]
"""Signals that leave the run as it is: the machine shuts down, the terminal was closed."""

LAST_WORD_SECONDS: Final = 1.0
"""How long a process that gives up may take to say so."""

STUCK_SECONDS: Final = 5.0
"""How long the loop may take to heed a signal that comes from no person."""

THREAD_SECONDS: Final = 0.2
"""How long threads that nodes have left behind may take to end."""


@contextmanager
def signals(
    handlers: Mapping[signal.Signals, Callable[[], object]], *, stuck: Callable[[], object]
) -> Iterator[None]:
    """Call these on the loop for as long as the block lasts, where the platform can.

    stuck: called when another signal comes before the loop got round to the one before, or
    when nobody sits there who could send one, so that some code holds the loop. The process
    ends behind that.
    """
    loop = asyncio.get_running_loop()
    # A signal comes in the midst of any code, a flow's too, whose prints are its run's.
    here = contextvars.copy_context()
    unheeded: list[int] = []
    watchdogs: list[threading.Timer] = []
    leaving: list[int] = []

    def take(number: int, _: object) -> None:
        # A plain handler runs even while code that never waits keeps the loop from its own.
        # Another signal may interrupt it anywhere: what is to stop that one is set before all else.
        if leaving:
            return
        if unheeded:
            give_up()
        unheeded.append(number)
        if number != signal.SIGINT:
            watchdogs.append(_later(STUCK_SECONDS, give_up))
        loop.call_soon_threadsafe(heed, number, context=here.copy())

    def give_up() -> None:
        leaving.append(Exit.CANCELLED)
        _later(LAST_WORD_SECONDS, os._exit, Exit.CANCELLED)
        with suppress(RuntimeError, OSError):  # it may have come in the middle of a write
            here.copy().run(stuck)
        leave_at_once(Exit.CANCELLED)

    def heed(number: int) -> None:
        unheeded.clear()
        while watchdogs:
            watchdogs.pop().cancel()
        handlers[signal.Signals(number)]()

    before: dict[signal.Signals, Any] = {}
    try:
        for number in handlers:
            with suppress(ValueError):  # not the main thread: whoever called has the signals
                before[number] = signal.signal(number, take)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _later(seconds: float, act: Callable[..., object], *args: object) -> threading.Timer:
    """Call this from a thread that keeps nothing alive."""
    timer = threading.Timer(seconds, act, args)
    timer.daemon = True
    timer.start()
    return timer


def leave(code: Exit) -> Exit:
    """Return the code, or end the process with it when a node's thread would not let it end."""
    deadline = time.monotonic() + THREAD_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith("penstock"):
            thread.join(max(deadline - time.monotonic(), 0.0))
            if thread.is_alive():
                leave_at_once(code)
    return code


def leave_at_once(code: Exit) -> NoReturn:
    """End the process now. What was committed is on disk, and the kernel frees the rest."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
