"""A session: one execution of the framework, on a thread beside the loop of the run.

The framework blocks while it waits for its models, so it gets a thread of its own; the run's
journal belongs to the loop. A step therefore is handed over: the loop asks the journal for
its outcome, and when there is none yet, says `go` to the thread that wants it and waits for
what came of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from typing import Any, Final, TypeVar

from penstock.core.payload import Payload
from penstock.engine.capture import captured
from penstock.engine.context import Reporter
from penstock.engine.firing import Failure
from penstock.engine.strand import Context

R = TypeVar("R")


class Stopped(BaseException):
    """The run is being stopped. No `except Exception` of the framework may keep it from that."""


class Session:
    """Runs the framework for one run. Its methods are for the framework's threads, but for `run`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._loop = asyncio.get_running_loop()
        self._group = asyncio.TaskGroup()
        self._stopped = threading.Event()

    async def run(self, work: Callable[[], R]) -> R:
        """Do the work on a thread, and return what it returns.

        When the run is stopped meanwhile, the thread is not waited for: it ends at the next
        thing that it wants of the run.
        """
        outcome: asyncio.Future[R] = self._loop.create_future()
        variables = contextvars.copy_context()

        def settle(result: R | None, error: BaseException | None) -> None:
            if outcome.done():
                return
            if error is None:
                outcome.set_result(result)  # type: ignore[arg-type]
            else:
                outcome.set_exception(error)

        def execute() -> None:
            result: R | None = None
            error: BaseException | None = None
            try:
                result = variables.run(work)
            except StopIteration as stop:  # the one exception that no future takes
                error = RuntimeError(f"StopIteration: {stop}")
            except BaseException as cause:
                error = cause
            with suppress(RuntimeError):  # the loop is no more, and neither is anybody who asks
                self._loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=execute, name=f"penstock:crew:{self.context.fid}", daemon=True).start()
        try:
            async with self._group:
                return await outcome
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._stopped.set()

    def check(self) -> None:
        """Raise Stopped when the run is being stopped."""
        if self._stopped.is_set():
            raise Stopped

    @property
    def reporter(self) -> Reporter:
        """What tells the stream of what happens here: the step's, or the whole run's."""
        return _REPORTER.get(self.context)

    # --- steps --------------------------------------------------------------------------

    def step(self, name: str, work: Callable[[], Payload]) -> Payload:
        """The outcome of a step: from the journal, or by doing the work here, on this thread."""
        handover = self._hand_over(name)
        wait_for((handover.outcome, handover.go), return_when=FIRST_COMPLETED)
        if handover.wanted:
            with handover.answered(self) as answer, _reporting(handover.reporter):
                answer(work())
        return handover.result()

    async def step_async(self, name: str, work: Callable[[], Awaitable[Payload]]) -> Payload:
        """The same for a loop of the framework's own."""
        handover = self._hand_over(name)
        waiting = [asyncio.wrap_future(handover.outcome), asyncio.wrap_future(handover.go)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if handover.wanted:
            with handover.answered(self) as answer, _reporting(handover.reporter):
                answer(await work())
        with suppress(Exception, asyncio.CancelledError):
            await waiting[0]
        return handover.result()

    def ask(self, question: Coroutine[Any, Any, R]) -> R:
        """Wait for what the run's loop has to do, such as to open a lock."""
        return self._on_loop(question).result()

    def _hand_over(self, name: str) -> _Handover:
        self.check()
        node = f"{self.context.node}/{name}" if self.context.node else name
        handover = _Handover(self.context, node)
        self._on_loop(handover.perform(), outcome=handover.outcome)
        return handover

    def _on_loop(self, work: Coroutine[Any, Any, R], outcome: Future[R] | None = None) -> Future[R]:
        """Let a coroutine run as a task of the run; the framework's thread may wait for it."""
        found: Future[R] = Future() if outcome is None else outcome
        found.set_running_or_notify_cancel()

        async def watched() -> None:
            try:
                result = await work
            except asyncio.CancelledError:
                found.set_exception(Stopped())
                raise
            except BaseException as error:  # it is the thread's, which decides what it means
                found.set_exception(error)
            else:
                found.set_result(result)

        def begin() -> None:
            try:
                self._group.create_task(watched(), name=f"penstock:crew:{self.context.fid}")
            except RuntimeError:  # the section of its tasks has ended, and the run with it
                work.close()
                found.set_exception(Stopped())

        try:
            self._loop.call_soon_threadsafe(begin)
        except RuntimeError:  # the loop is closed
            work.close()
            found.set_exception(Stopped())
        return found


class _Handover:
    """One step on its way between the loop and a thread. reporter: of the attempt under way."""

    def __init__(self, context: Context, node: str) -> None:
        self.outcome: Future[Payload] = Future()
        self.go: Future[None] = Future()
        self.reporter: Reporter = context
        self._done: Future[Payload] = Future()
        self._context = context
        self._node = node

    async def perform(self) -> Payload:
        return await self._context.perform(self._node, self._attempt, kind="task")

    async def _attempt(self, reporter: Reporter) -> Payload:
        self.reporter = reporter
        self._done.set_running_or_notify_cancel()
        self.go.set_result(None)
        return await asyncio.wrap_future(self._done)

    @property
    def wanted(self) -> bool:
        """Whether the step has to be done, because the journal has no outcome of it."""
        return self.go.done() and not self.outcome.done()
