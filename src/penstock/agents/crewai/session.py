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
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from penstock.core.payload import Payload
from penstock.engine.capture import captured
from penstock.engine.context import Reporter
from penstock.engine.strand import STRAND, Context, Strand

R = TypeVar("R")


class Stopped(BaseException):
    """The run is being stopped. No `except Exception` of the framework may keep it from that."""


class Session:
    """Runs the framework for one run. Its methods are for the framework's threads, but for `run`.

    over: the work has ended, or is no longer waited for.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.over = False
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
                outcome.exception()  # a run that is being stopped does not ask for it

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
        except asyncio.CancelledError:
            self._stopped.set()
            raise
        finally:
            self.over = True

    def check(self) -> None:
        """Raise Stopped when the run is being stopped."""
        if self._stopped.is_set():
            raise Stopped

    @property
    def step_here(self) -> str:
        """The step that the current code belongs to, or nothing."""
        found = _TELLER.get(None)
        return "" if found is None else found.node.removeprefix(self.context.node).lstrip("/")

    @property
    def reporter(self) -> Reporter:
        """What tells the stream of what happens here: the step's, or the whole run's."""
        return _TELLER.get(self.context)

    # --- steps --------------------------------------------------------------------------

    def step(self, name: str, work: Callable[[], Payload]) -> Payload:
        """The outcome of a step: from the journal, or by doing the work here, on this thread."""
        handover = self._hand_over(name)
        wait_for((handover.outcome, handover.go), return_when=FIRST_COMPLETED)
        if handover.wanted:
            with _telling(handover.reporter):
                try:
                    handover.give(work())
                except BaseException as error:
                    handover.fail(error)
        return handover.result()

    async def step_async(self, name: str, work: Callable[[], Awaitable[Payload]]) -> Payload:
        """The same for a loop of the framework's own."""
        handover = self._hand_over(name)
        outcome, go = asyncio.wrap_future(handover.outcome), asyncio.wrap_future(handover.go)
        await asyncio.wait((outcome, go), return_when=asyncio.FIRST_COMPLETED)
        if handover.wanted:
            with _telling(handover.reporter):
                try:
                    handover.give(await work())
                except BaseException as error:
                    handover.fail(error)
        await asyncio.wait((outcome,))
        return handover.result()

    def lock(self, name: str, *, inside: str, number: int, **asked: Any) -> Any:
        """The answer to a lock; see `Context.lock`.

        inside: the step that it belongs to. number: which of its locks this is, from 1, the same
        on every replay.
        """

        async def opened() -> Any:
            strand = Strand()
            strand.count = number - 1
            STRAND.set(strand)
            return await self.context.below(inside).lock(name, **asked)

        self.check()
        answer: Future[Any] = Future()
        self._on_loop(opened(), answer)
        return answer.result()

    def _hand_over(self, name: str) -> _Handover:
        self.check()
        handover = _Handover(self.context)
        self._on_loop(self.context.perform(name, handover.attempt, kind="task"), handover.outcome)
        return handover

    def _on_loop(self, work: Coroutine[Any, Any, R], outcome: Future[R]) -> None:
        """Let a coroutine run as a task of the run, whose outcome a thread waits for."""

        async def watched() -> None:
            try:
                result = await work
            except asyncio.CancelledError:
                outcome.set_exception(Stopped())
                raise
            except BaseException as error:  # it is the thread's, which decides what it means
                outcome.set_exception(error)
            else:
                outcome.set_result(result)

        def begin() -> None:
            if self.over:
                refuse()
            else:
                self._group.create_task(watched(), name=f"penstock:crew:{self.context.fid}")

        def refuse() -> None:
            work.close()
            outcome.set_exception(Stopped())

        try:
            self._loop.call_soon_threadsafe(begin)
        except RuntimeError:  # the loop is closed: the process is about to end
            refuse()


class _Handover:
    """One step between the loop and a thread. go: set when its work is wanted."""

    def __init__(self, reporter: Reporter) -> None:
        self.outcome: Future[Payload] = Future()
        self.go: Future[None] = Future()
        self.reporter = reporter
        self._done: Future[Payload] = Future()
        self._failure: BaseException | None = None

    async def attempt(self, reporter: Reporter) -> Payload:
        """What the loop does for the step: it says `go`, and waits."""
        self.reporter = reporter
        self._done.set_running_or_notify_cancel()  # from here on, only the thread decides
        self.go.set_result(None)
        return await asyncio.wrap_future(self._done)

    @property
    def wanted(self) -> bool:
        """Whether the work is to be done, because the journal has no outcome of it."""
        return self.go.done() and not self.outcome.done()

    def give(self, payload: Payload) -> None:
        self._done.set_result(payload)

    def fail(self, error: BaseException) -> None:
        self._failure = error
        self._done.set_exception(error)

    def result(self) -> Payload:
        """The outcome, once the loop has it. What the work itself raised is raised as it was."""
        try:
            return self.outcome.result()
        except Stopped:
            raise
        except BaseException:
            if self._failure is not None:
                raise self._failure from None
            raise


_TELLER: Final[contextvars.ContextVar[Reporter]] = contextvars.ContextVar("penstock_crew_reporter")
"""What tells the stream of what the framework does here; threads that it starts copy it."""


@contextmanager
def _telling(reporter: Reporter) -> Iterator[None]:
    """A section whose events and prints belong to a step."""
    token = _TELLER.set(reporter)
    try:
        with captured(reporter.stdout, reporter.stderr):
            yield
    finally:
        _TELLER.reset(token)
