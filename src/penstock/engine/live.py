"""A run while this process executes it: what all its processes and firings share."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import math
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import NodeError, NodeTimeout
from penstock.core.events import EventType
from penstock.core.payload import Error, Payload
from penstock.core.states import RunState
from penstock.engine.firing import Failure, Watch, limited
from penstock.engine.leases import Leases
from penstock.engine.locks.registry import Locks
from penstock.engine.observation import observed_child
from penstock.engine.observer import Subject
from penstock.engine.process import Process

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from penstock.core.clock import Clock
    from penstock.engine.flow import Flow
    from penstock.engine.folder import RunFolder, RunFolders
    from penstock.engine.inspection.inspector import Inspector
    from penstock.engine.journal import Journal
    from penstock.engine.observer import Observer
    from penstock.engine.plan import Plan
    from penstock.engine.replay import Replay
    from penstock.engine.resources import Resources
    from penstock.engine.syscalls.opcodes import Syscall

WAIT_SECONDS: Final = 1.0
"""A run that waits for less is not worth two events that say so."""

SETTLE_SECONDS: Final = 0.005
"""How long a run must have nothing to do before it counts as waiting."""


_NO_EDITS: Final[Mapping[str, Mapping[str, Payload]]] = {}
_NO_CALLS: Final[Mapping[str, Syscall]] = {}


def no_probe(_: str) -> None:
    """Stands where a test names points at which to crash."""


class LiveRun:
    """The shared state of one run's execution.

    stopped: its execution was asked to stop. busy: firings that do something, neither
    asleep nor waiting for children. unstarted: workers that were called and have not
    begun. open_resources: processes that hold some. limits: attempts with a time limit,
    which would be lost with the run's memory. pinned: what executes it elsewhere holds something
    of that sort. A run whose busy and unstarted are 0 while timers are set only waits.
    """

    def __init__(
        self,
        fid: str,
        flow: Flow,
        journal: Journal,
        *,
        clock: Clock,
        replay: Replay | None = None,
        probe: Callable[[str], None] = no_probe,
        threads: Executor | None = None,
        leases: Leases | None = None,
        on_waiting: Callable[[LiveRun], None] | None = None,
        prepare: Callable[[Flow], Awaitable[None]] | None = None,
        observer: Observer | None = None,
        subject: Subject | None = None,
        syscalls: Mapping[str, Syscall] = _NO_CALLS,
        inspector: Inspector | None = None,
        locks: Locks | None = None,
        edited: Mapping[str, Mapping[str, Payload]] = _NO_EDITS,
        folders: RunFolders | None = None,
    ) -> None:
        self.fid = fid
        self.flow = flow
        self.journal = journal
        self.clock = clock
        self.replay = replay
        self.edited = edited
        self._folders = folders
        self.probe = probe
        self.observer = observer
        self.inspector = inspector
        self.syscalls = syscalls
        self._subject = subject
        parallel = flow.settings.max_parallel
        self.slots = asyncio.Semaphore(parallel) if parallel is not None else None
        self.states: dict[str, dict[str, Payload]] = {} if replay is None else replay.states()
        self.failures: list[Error] = []
        self._locks = locks
        if locks is not None:
            locks.run = self
        self.busy = 0
        self.unstarted = 0
        self.open_resources = 0
        self.limits = 0
        self.pinned = False
        self.waiting = False
        self.stopped = False
        self.deadline: float | None = None
        self._on_waiting = on_waiting
        self._asleep: dict[object, float] = {}
        self._looking = False
        self._threads = threads
        self.leases = leases or Leases()
        self._prepare = prepare
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @property
    def subject(self) -> Subject:
        """The run as observers are told of it."""
        if self._subject is None:
            self._subject = Subject(self.flow.namespace, self.flow.name, self.fid)
        return self._subject

    @functools.cached_property
    def folder(self) -> RunFolder:
        """The folder of the run's files. Raises NodeError for a process that is no run."""
        if self._folders is None:
            raise NodeError(
                "only a run has a folder for files, and this process is none",
                code="folder.none",
                remedy="say `durable: true` at its trigger",
            )
        return self._folders.of(self.fid)

    @property
    def locks(self) -> Locks:
        """Its locks; made when somebody first wants them, because most processes have none."""
        if self._locks is None:
            self._locks = Locks.on_replay(self.journal, self.replay)
            self._locks.run = self
        return self._locks

    @property
    def _is_brought_something(self) -> bool:
        """Whether a candidate is on its way to a lock that has not begun to decide."""
        return self._locks is not None and self._locks.undelivered

    # --- events -------------------------------------------------------------------

    def emit_from_anywhere(self, type: str, node: str, data: dict[str, Any]) -> None:  # noqa: A002
        """Emit from the loop's thread or from that of a blocking node."""
        if self.journal.silent:
            if self.observer is not None:
                self.observer.said(self.subject, node, type, data, self.journal.redactor)
            return
        if threading.get_ident() == self._thread:
            self.journal.emit(type, node, data)
        else:
            self._loop.call_soon_threadsafe(self.journal.emit, type, node, data)

    async def in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking call on a thread, with the context variables of here."""
        context = contextvars.copy_context()

        def execute() -> Any:
            try:
                return context.run(call, *arguments)
            except StopIteration as error:  # the one exception that no future takes
                raise RuntimeError(f"StopIteration: {error}") from error

        return await self._loop.run_in_executor(self._threads, execute)

    # --- waiting ------------------------------------------------------------------

    async def sleep(self, node: str, timer: str, seconds: float) -> None:
        """A durable timer. A replay waits for what is left of it."""
        until = self.replay.timer(timer) if self.replay is not None else None
        if until is None:
            until = self.clock.now() + seconds
            self.journal.emit(EventType.NODE_WAITING, node, {"timer": timer, "until": until})
            self.probe("timer.set")
        await self.sleep_until(until)

    async def sleep_until(self, until: float) -> None:
        """Wait for a point in time, in epoch seconds. It must be in the journal."""
        if self.stopped or until > self.clock.now():
            await self.wait(self._loop.create_future(), until)
            self.wake("timer")

    async def wait(self, waiter: asyncio.Future[None], until: float) -> None:
        """Wait for somebody, or for a point in time, in epoch seconds; both must be in the journal."""
        if self.stopped:  # what a cancelled run still does to clean up does not take naps
            raise asyncio.CancelledError
        token = object()
        timer = None
        if until != math.inf:
            wake = functools.partial(_wake, waiter)
            timer = self.clock.call_later(max(until - self.clock.now(), 0.0), wake)
        self._asleep[token] = until
        self._consider()
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
            del self._asleep[token]

    def hear(self, word: str) -> None:
        """Take a word that was left for the run: a candidate for one of its locks."""
        self.locks.hear(word)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A section in which a busy firing only waits: for a timer, or for children."""
        self.settle_down()
        try:
            yield
        finally:
            self.begin_work()

    def begin_work(self) -> None:
        """One firing more is busy."""
        self.busy += 1
        if self.waiting:
            self.wake("activity")

    def settle_down(self) -> None:
        """One firing less is busy. When none is left, see whether the run only waits."""
        self.busy -= 1
        self._consider()

    def _consider(self) -> None:
        # Not at once: what has just ended may make something else ready, turns later.
        if self.busy == 0 and self._asleep and not self._looking:
            self._looking = True
            self._loop.call_later(SETTLE_SECONDS, self._look_whether_waiting)

    def _look_whether_waiting(self) -> None:
        self._looking = False
        if self.busy or self.unstarted or self.waiting or not self._asleep:
            return
        if self._is_brought_something:
            return
        until = self.wake_at
        if until is not None and until - self.clock.now() < WAIT_SECONDS:
            return
        if self.journal.failed or self.journal.closed:
            return
        self._begin_to_wait(until)

    def _begin_to_wait(self, until: float | None, **facts: str) -> None:
        self.waiting = True
        self.journal.emit(EventType.RUN_WAITING, "", {"until": until, **facts})
        self.journal.change(state=RunState.WAITING, wake_at=until)
        if self.observer is not None:
            self.observer.run_changed(self.subject, RunState.WAITING)
        if self._on_waiting is not None:
            self._on_waiting(self)

    def wait_elsewhere(self, until: float | None, *, pinned: bool) -> None:
        """What executes the run elsewhere says that it only waits; see `wait`."""
        if self.waiting or self.journal.failed or self.journal.closed:
            return
        self.pinned = pinned
        self._asleep[self] = math.inf if until is None else until
        self._begin_to_wait(self.wake_at)

    def wait_in_line(self) -> None:
        """What will execute the run elsewhere is busy with others. It is due at any moment."""
        if self.waiting or self.journal.failed or self.journal.closed:
            return
        self.pinned = True
        self._begin_to_wait(self.clock.now(), **{"for": "worker"})

    def go_on_elsewhere(self, reason: str) -> None:
        """What executes the run elsewhere goes on with it."""
        self._asleep.pop(self, None)
        self.wake(reason)

    def wake(self, reason: str) -> None:
        """It has something to do again."""
        if self.waiting:
            self.waiting = False
            self.journal.emit(EventType.RUN_RESUMED, "", {"reason": reason})
            self.journal.change(state=RunState.RUNNING, wake_at=None)
            if self.observer is not None:
                self.observer.run_changed(self.subject, RunState.RUNNING)

    @property
    def wake_at(self) -> float | None:
        """When the run goes on by itself, in epoch seconds; None when it waits for people alone."""
        times = [*self._asleep.values(), *([self.deadline] if self.deadline is not None else [])]
        soonest = min(times, default=math.inf)
        return None if soonest == math.inf else soonest

    @property
    def evictable(self) -> bool:
        """Whether the run can leave memory and be rebuilt from its journal unharmed."""
        idle = self.waiting and not self.busy and not self.unstarted
        holds = (
            self.open_resources
            or self.limits
            or self.pinned
            or self._is_brought_something
            or self.journal.silent
        )
        return idle and not holds

    # --- children -----------------------------------------------------------------

    async def call_plan(
        self, plan: Plan, path: str, port: str, value: Payload, parent: Process
    ) -> Payload:
        """Run a plan as a child process; its outcome is journaled. Raises NodeError."""
        process = Process(plan, self, path=f"{path}/", parent=parent)
        if self.inspector is not None:
            value = await self.inspector.sent(process, path, port, value)
        return await self.child(path, {"port": port}, lambda: process.answer(value))

    async def call_nested(
        self, plan: Plan, node: str, inputs: Mapping[str, Payload], parent: Process, *, apart: bool
    ) -> dict[str, list[Payload]]:
        """Run the graph that a node stands for; the packets that leave it. Raises NodeError.

        apart: as a child process, with resources of its own and a journaled outcome.
        """
        if apart:
            process = Process(plan, self, path=f"{node}[0]/", parent=parent)
            packets: dict[str, list[Payload]] = await self.child(
                f"{node}[0]", {"port": "specs"}, lambda: process.pass_through(inputs)
            )
            return packets
        process = Process(plan, self, path=f"{node}/", parent=parent, resources=parent.resources)
        try:
            return await process.pass_through(inputs)
        except Failure as failure:
            raise failure.error.to_exception() from failure.cause

    async def call_flow(
        self, flow: Flow, path: str, inputs: Mapping[str, Any], *, around: Resources | None = None
    ) -> Payload:
        """Run another flow as a child process; its outcome is journaled. Raises NodeError.

        around: what the process that calls has open.
        """
        accepted = flow.accept(inputs)
        if flow.redactor is not None:
            self.journal.redactor = flow.redactor.joined(self.journal.redactor)
        if self._prepare is not None:
            await self._prepare(flow)
        watch = Watch(self, None)
        limit = flow.settings.timeout

        async def execute(_: int = 1) -> Payload:
            return await flow.execute_child(self, accepted, f"{path}/", around=around)

        async def execute_in_time() -> Payload:
            assert limit is not None
            try:
                return await limited(self, execute, 1, limit, watch)
            except NodeTimeout as error:
                raise Failure(Error.from_exception(error, node=path), error) from error

        facts = {"flow": flow.name, "inputs": accepted}
        return await self.child(path, facts, execute if limit is None else execute_in_time)

    async def child(self, path: str, facts: dict[str, Any], execute: Callable[[], Any]) -> Payload:
        """Bring a child process to its outcome: from the journal, or by executing it."""
        past = self.replay.child(path) if self.replay is not None else None
        if past is not None:
            if past.error is not None:
                raise past.error.to_exception()
            return past.result
        if self.replay is None or not self.replay.child_goes_on(path):
            self.journal.emit(EventType.CHILD_STARTED, path, facts)
        if self.observer is not None:
            execute = observed_child(self, path, facts.get("flow", ""), execute)
        began = self.clock.monotonic()
        try:
            result = await execute()
        except Failure as failure:
            self._child_completed(path, began, error=failure.error)
            raise failure.error.to_exception() from failure.cause
        self.probe("child.executed")
        self._child_completed(path, began, result=result)
        return result

    def _child_completed(self, path: str, began: float, **outcome: Any) -> None:
        duration_ms = round((self.clock.monotonic() - began) * 1000, 3)
        self.journal.emit(EventType.CHILD_COMPLETED, path, {**outcome, "duration_ms": duration_ms})


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
