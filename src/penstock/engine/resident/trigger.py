"""What a trigger may ask of the runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from penstock.core.errors import RunExists
from penstock.core.payload import Payload
from penstock.core.store import RunQuery
from penstock.engine.fid import fid_at, time_of
from penstock.engine.firing import Failure
from penstock.engine.kind import Trigger
from penstock.engine.observation import masked
from penstock.engine.observer import Observer, Subject

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.engine.resident.entry import Entry, Fails
    from penstock.engine.resident.recorded import Recorder
    from penstock.engine.resident.symbol import Symbol
    from penstock.engine.resident.ways import Ways


T = TypeVar("T")

REMEMBERED_SECONDS: Final = 3600.0
"""How long a key is remembered at least. The ids of runs sort by time, so it is part of them."""


class TriggerContext:
    """What a trigger may ask of the runtime.

    node: the key of the trigger in its namespace. clock: the time, which a test may own.
    subject: whom observers are told of. failed: told of tasks that fail. closing: it starts
    nothing more, and what it started may be on its last legs.
    at_once: what answers a payload in place of `begin`, by port, where that is the shortest way:
    where a graph of plain pure nodes hangs from the port, and nobody hears of its processes. It
    raises Failure, about which `recover` does what is to be done.
    """

    def __init__(
        self,
        symbol: Symbol,
        *,
        namespace: str,
        recorder: Recorder,
        shared: dict[type, Any],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self.node = symbol.key
        self.namespace = namespace
        self.clock: Clock = recorder.runtime.clock
        self.observer: Observer | None = recorder.runtime.observer
        self.subject = Subject(namespace, symbol.key)
        self._heard = self.observer is not None and self.observer.hears(
            "process_answered", "process_began", "child_began", "attempt_began"
        )
        self._recorder = recorder
        self._shared = shared
        self._failed = failed
        self._durable = isinstance(symbol.node, Trigger) and symbol.node.durable
        self._entries: Mapping[str, Entry] = {}
        self.at_once: Mapping[str, Callable[[Payload], Payload]] = {}
        self._earlier: list[Entry] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.closing = False

    # --- asked by triggers --------------------------------------------------------

    def linked(self, port: str) -> bool:
        """Whether anything hangs from this out-port."""
        return port in self._entries

    def begin(
        self, port: str, payload: Payload, *, fails: Fails | None = None, trace: str = ""
    ) -> Payload | Coroutine[Any, Any, Payload]:
        """Run what hangs from a port as a root process: its response, or a coroutine of it.

        A graph of plain pure nodes answers at once, without a task and without the loop;
        anything else gives a coroutine, which the caller awaits (to cancel it is to cancel the
        process). fails: whether a response counts as a failure, so that what the process has
        open is rolled back; the response is returned all the same. trace: the W3C
        `traceparent` that it belongs to. Raises NodeError, at once or when awaited, when the
        process failed and nothing hangs from `error`. Nothing hangs from the port: None.
        """
        entry = self._entries.get(port)
        if entry is None:
            return None
        if self._durable:
            return self._recorder.answer(entry, payload, outlives=lambda: self.closing, trace=trace)
        if not entry.inline:
            return entry.answer(payload, fails=fails, trace=trace)
        try:
            if self.observer is not None:
                return self._answer_observed(self.observer, entry, payload, trace)
            return entry.answer_now(payload)
        except Failure as failure:
            return _recovered(entry, failure, fails, trace)

    def recover(
        self, port: str, failure: Failure, *, seconds: float, fails: Fails | None = None, trace: str = ""
    ) -> Payload | Coroutine[Any, Any, Payload]:
        """What comes of a failure in `at_once`, which took so long; as `begin` otherwise."""
        entry = self._entries[port]
        if self.observer is not None:
            error = masked(failure.error, entry.roots.flow.redactor)
            self.observer.process_failed(self.subject, seconds, error, trace)
        return _recovered(entry, failure, fails, trace)

    def _answer_observed(
        self, observer: Observer, entry: Entry, payload: Payload, trace: str
    ) -> Payload:
        began = self.clock.monotonic()
        try:
            response = entry.answer_now(payload)
        except Failure as failure:
            error = masked(failure.error, entry.roots.flow.redactor)
            observer.process_failed(self.subject, self.clock.monotonic() - began, error, trace)
            raise
        observer.process_answered(self.subject, self.clock.monotonic() - began, trace)
        return response

    async def start(self, port: str, payload: Payload) -> Payload:
        """The same for whoever is in no hurry: run a root process, and return its response."""
        answer = self.begin(port, payload)
        return await answer if isinstance(answer, Coroutine) else answer

    async def start_once(self, port: str, payload: Payload, *, at: float) -> bool:
        """Record a run for the time `at` (epoch seconds), once among all runtimes of the store.

        Returns when the run is on disk and goes on by itself, whatever happens to this
        process; False when another runtime was quicker, or it was done before a restart. Only
        for a trigger that is `durable`; its failures end in its row and its `error` port.
        """
        entry = self._entries.get(port)
        if entry is None:
            return False
        try:
            await self._recorder.launch(entry, payload, fid=fid_at(at, self._recorder.name(entry)))
        except RunExists:
            return False
        return True

    async def submit(self, port: str, payload: Payload, *, key: str = "", trace: str = "") -> bool:
        """Record a run and return when it is on disk; it goes on by itself.

        key: what makes it the same: a second one with this key within the next hour is refused
        with False, in whatever runtime of the store. Only for a `durable` trigger.
        """
        entry = self._entries.get(port)
        if entry is None:
            return False
        fid = None
        if key:
            hour = self.clock.now() // REMEMBERED_SECONDS * REMEMBERED_SECONDS
            what = f"{self._recorder.name(entry)}#{key}"
            if await self._recorder.runtime.store.run(fid_at(hour - REMEMBERED_SECONDS, what)):
                return False
            fid = fid_at(hour, what)
        try:
            await self._recorder.launch(entry, payload, fid=fid, trace=trace)
        except RunExists:
            return False
        return True

    def active(self, port: str) -> int:
        """How many processes that began at a port of this trigger are under way in this runtime."""
        entry = self._entries.get(port)
        earlier = sum(each.running for each in self._earlier if each.port == port)
        return earlier + (entry.running if entry is not None else 0)

    def shared(self, kind: type[T]) -> T:
        """The one object of this type that all triggers of the namespace share here.

        The first call makes it, without arguments; it lives as long as the runtime.
        """
        found = self._shared.get(kind)
        if found is None:
            found = self._shared[kind] = kind()
        assert isinstance(found, kind)
        return found

    async def last(self, port: str) -> float | None:
        """The latest time `at` that any runtime has recorded a run for, or None."""
        entry = self._entries.get(port)
        if entry is None:
            return None
        rows = await self._recorder.runtime.runs(RunQuery(flow=self._recorder.name(entry), limit=1))
        return time_of(rows[0].fid) if rows else None

    def own(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task of this trigger: cancelled after `close`. If it fails, the failure is reported."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def warn(self, message: str, **fields: Any) -> None:
        """Tell the log of the runtime that something is not right."""
        if self.observer is not None:
            self.observer.warned(self.subject, message, fields)

    # --- asked by the table -------------------------------------------------------

    def take(self, symbol: Symbol, ways: Ways) -> list[Entry]:
        """Go the ways that the trigger's links lead now; the entries from before."""
        former = self._go(ways.of(symbol, self._entries))
        before = [entry for port, entry in former.items() if self._entries.get(port) is not entry]
        self._earlier = [each for each in (*self._earlier, *before) if each.running]
        return before

    def detach(self) -> list[Entry]:
        """Go no way any more; the entries from before."""
        return list(self._go({}).values())

    def _go(self, entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
        """Go these ways from now on; the entries from before."""
        before, self._entries = self._entries, entries
        found = {} if self._durable or self._heard else entries
        self.at_once = {
            port: entry.at_once for port, entry in found.items() if entry.at_once is not None
        }
        return before

    async def end_tasks(self) -> None:
        """Cancel what the trigger owns, and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(self.node, error)


def _recovered(
    entry: Entry, failure: Failure, fails: Fails | None, trace: str
) -> Payload | Coroutine[Any, Any, Payload]:
    """What the error plan makes of a failure, at once where it is inline. Raises NodeError."""
    if entry.error is None:
        raise failure.error.to_exception() from failure.cause
    if not entry.error.inline:
        return entry.recover(failure, fails=fails, trace=trace)
    try:
        return entry.recover_now(failure)
    except Failure as second:
        raise second.error.to_exception() from second.cause
