"""The runtime: starts runs, brings them back after a crash, and puts aside those that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self

from penstock.core.errors import PenstockError, RunBusy, RunNotFound, RunSuspended, StoreError
from penstock.core.events import Event, EventType
from penstock.core.payload import Error, Payload
from penstock.core.policies import Record
from penstock.core.states import RunState
from penstock.core.store import RunChange, RunRow, Store
from penstock.engine.clock import SystemClock
from penstock.engine.execution import Execution, Stop
from penstock.engine.fid import new_fid
from penstock.engine.journal import Committer, Journal
from penstock.engine.live import no_probe
from penstock.engine.outcome import outcome_of
from penstock.engine.replay import Replay
from penstock.engine.run import Run
from penstock.engine.sleepers import Sleepers
from penstock.engine.stream import Streams

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.engine.flow import Flow
    from penstock.engine.loading import Loader

RESIDENT: Final = 1000
"""How many waiting runs stay in memory for a while before they are put aside."""

THREADS: Final = 32


class Runtime:
    """Executes runs over one store. Use it as an async context manager.

    store: where runs are kept. loader: makes flows of what the store kept of them, to go
    on with runs that another process began. flows: Python flows that are known by name.
    recover: go on with every unfinished run that no live runtime owns. evict_after:
    seconds that a run which only waits stays in memory. probe: called with the name of
    each point at which a test may want to crash.
    """

    def __init__(
        self,
        store: Store,
        *,
        loader: Loader,
        flows: Sequence[Flow] = (),
        clock: Clock | None = None,
        recover: bool = True,
        evict_after: float = 5.0,
        probe: Callable[[str], None] = no_probe,
    ) -> None:
        self.store = store
        self.clock: Clock = clock or SystemClock()
        self.evict_after = evict_after
        self.probe = probe
        self.streams = Streams(store, is_live=self._is_live, check=self._check)
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="penstock")
        self.committer = Committer(store, published=self._published, broken=self._broken)
        self._loader = loader
        self._recover = recover
        self._flows: dict[str, Flow] = {flow.revision: flow for flow in flows}
        self._loaded: dict[int, Flow] = {}
        self._loading = asyncio.Lock()
        self._stuck: dict[str, PenstockError] = {}
        self._kept: set[str] = set()
        self._executions: dict[str, Execution] = {}
        self._ends: dict[str, asyncio.Future[None]] = {}
        self._sleepers = Sleepers(self.clock, self._woken)
        self._due: dict[str, None] = {}
        self._waker: asyncio.Task[Any] | None = None
        self._room = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    # --- life ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.store.open()
        try:
            if self._recover:
                await self.resume_all()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Put every run aside as it is, and close the store. Nothing is cancelled."""
        self._closing = True
        self._sleepers.close()
        executions = list(self._executions.values())
        for execution in executions:
            execution.stop(Stop.SUSPEND)
        try:
            await asyncio.gather(*(execution.ended for execution in executions), return_exceptions=True)
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.streams.wake()
            await self.committer.close()
            await self._unload()
        finally:
            self.threads.shutdown(wait=False, cancel_futures=True)
            await self.store.close()

    async def _unload(self) -> None:
        """Unload every flow, the last loaded first; the first error is raised at the end."""
        errors: list[Exception] = []
        while self._loaded:
            try:
                await self._loaded.popitem()[1].unload()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    # --- starting -----------------------------------------------------------------

    async def start(self, flow: Flow, /, **inputs: Any) -> Run:
        """Start a run with inputs by name. Returns when it is on disk. Raises InputError."""
        return await self.launch(flow, inputs)

    async def launch(
        self, flow: Flow, inputs: Mapping[str, Any] | None = None, *, fid: str | None = None
    ) -> Run:
        """Start a run. Returns when it is on disk, so that it survives whatever comes.

        fid: the id to give it, when the caller wants to know it beforehand.
        """
        accepted = flow.accept(inputs or {})
        return await self._begin(flow, accepted, fid or new_fid(self.clock.now()))

    async def _begin(
        self,
        flow: Flow,
        inputs: Mapping[str, Payload],
        fid: str,
        *,
        facts: Mapping[str, Any] | None = None,
        past: Sequence[Event] = (),
    ) -> Run:
        await self.prepare(flow)
        now = self.clock.now()
        journal = Journal(fid, self.committer, self.clock, record=flow.settings.record)
        if self.store.durable:
            self._listen()
        if flow.settings.record is not Record.NONE:
            row = RunRow(
                fid=fid,
                flow=flow.name,
                source=flow.source,
                revision=flow.revision,
                state=RunState.RUNNING,
                owner=self.store.owner,
                started=now,
            )
            journal.create(row)
        started = {"flow": flow.name, "revision": flow.revision, "inputs": dict(inputs), **(facts or {})}
        journal.emit(EventType.RUN_STARTED, "", started)
        for event in past:
            journal.emit(event.type, event.node, event.data)
        await journal.durable()
        replay = Replay.fold(past, repeats=True) if past else None
        execution = self._execute(flow, journal, inputs, now, replay)
        return Run(self, fid, outcome=execution.outcome)

    def _execute(
        self,
        flow: Flow,
        journal: Journal,
        inputs: Mapping[str, Payload],
        started: float,
        replay: Replay | None,
        *,
        restarts: int = 0,
    ) -> Execution:
        execution = Execution(self, flow, journal, inputs, started=started, replay=replay, restarts=restarts)
        self._executions[journal.fid] = execution
        execution.begin()
        return execution

    async def prepare(self, flow: Flow) -> None:
        """Load a flow's nodes once, and keep its revision with the store."""
        if flow.revision not in self._flows:
            self._flows[flow.revision] = flow
        if id(flow) not in self._loaded:
            async with self._loading:
                if id(flow) not in self._loaded:
                    await flow.load()
                    self._loaded[id(flow)] = flow
        if flow.revision not in self._kept and flow.settings.record is not Record.NONE:
            await self.store.save_revision(flow.revision, flow.document())
            self._kept.add(flow.revision)

    # --- looking ------------------------------------------------------------------

    def get(self, fid: str) -> Run:
        """The handle of a run, whether it lives, waits or has ended."""
        return Run(self, fid)

    async def runs(
        self,
        *,
        states: Sequence[RunState] = (),
        flow: str = "",
        before: str = "",
        limit: int | None = None,
    ) -> list[RunRow]:
        """Runs, newest first; `before` goes on after the last fid of a page."""
        return await self.store.runs(states=states, flow=flow, before=before, limit=limit)

    async def result(self, fid: str) -> Payload:
        """Wait for the end of a run; see `Run.result`."""
        while True:
            row = await self.store.run(fid)
            if row is None:
                raise RunNotFound(f"no run has the id `{fid}`", remedy="`penstock runs ls` lists them")
            if row.state.terminal:
                events = await self.store.events(fid, after=row.seq - 1)
                return outcome_of(fid, events[-1])
            await self._ending(fid, row)

    async def _ending(self, fid: str, row: RunRow) -> None:
        """Return when a run may have ended. Raises StoreError when its journal broke."""
        self._check(fid)
        if not self._is_live(fid) and fid not in self._sleepers and fid not in self._due:
            await self.store.changed(fid, after=row.seq)
            return
        end = self._ends.get(fid)
        if end is None:
            end = self._ends[fid] = asyncio.get_running_loop().create_future()
        await asyncio.shield(end)

    # --- ending and going on ------------------------------------------------------

    async def cancel(self, fid: str, reason: str = "") -> None:
        """End a run; see `Run.cancel`. A run of another live process is asked to end."""
        row = await Run(self, fid).row() if fid not in self._executions else None
        if row is not None:
            if row.state.terminal:
                return
            if row.owner not in ("", self.store.owner) and await self.store.alive(row.owner):
                await self.store.signal(fid, f"cancel {reason}".strip())
                await self._wait_for_end(fid)
                return
            if row.owner != self.store.owner:
                await self._claim(fid)
            await self._revive(row, stop=reason or "cancelled")
        execution = self._executions.get(fid)
        if execution is not None:
            execution.stop(Stop.CANCEL, reason)
            await asyncio.wait([execution.ended])

    async def _wait_for_end(self, fid: str) -> None:
        row = await Run(self, fid).row()
        while not row.state.terminal:
            await self.store.changed(fid, after=row.seq)
            row = await Run(self, fid).row()

    async def resume(self, fid: str) -> Run:
        """Go on with an unfinished run. Raises RunBusy when another process executes it."""
        if not self._is_live(fid):
            row = await Run(self, fid).row()
            if not row.state.terminal:
                claimed = await self._claim(fid) if row.owner != self.store.owner else row
                await self._revive(claimed)
        return Run(self, fid)

    async def resume_all(self) -> list[Run]:
        """Go on with every unfinished run that no live runtime owns, oldest first.

        A run whose flow cannot be found or no longer compiles stays as it is; the reason
        is kept in its row.
        """
        rows = await self.store.claim() if self.store.durable else []
        self._listen()
        for row in rows:
            if row.state is RunState.WAITING and row.wake_at is not None and row.wake_at > self.clock.now():
                self._sleepers.add(row.fid, row.wake_at)
            else:
                self._woken(row.fid)
        return [Run(self, row.fid) for row in rows]

    async def retry(self, fid: str, *, from_start: bool = False) -> Run:
        """Run again what a run was, as a new run that goes on from what had completed.

        from_start: complete nothing by what is recorded. Raises RunBusy for a run that
        has not ended.
        """
        row = await Run(self, fid).row()
        if not row.state.terminal:
            raise RunBusy(f"run `{fid}` has not ended", remedy=f"`penstock runs cancel {fid}` ends it")
        events = await self.store.events(fid)
        kept = [] if from_start else [event for event in events if _succeeded(event)]
        flow = await self._flow_of(row)
        inputs = events[0].data["inputs"]
        return await self._begin(flow, inputs, new_fid(self.clock.now()), facts={"retry_of": fid}, past=kept)

    async def _claim(self, fid: str) -> RunRow:
        claimed = await self.store.claim([fid])
        if not claimed:
            raise RunBusy(
                f"run `{fid}` is executed by another process",
                remedy=f"`penstock runs watch {fid}` follows it, `penstock runs cancel {fid}` ends it",
            )
        self._listen()
        return claimed[0]

    def _check(self, fid: str) -> None:
        """Refuse to wait for a run that will not go on here."""
        if self._closing:
            raise _suspended(fid)
        if fid in self._stuck:
            raise self._stuck[fid]
        execution = self._executions.get(fid)
        if execution is not None and execution.journal.silent:
            raise RunNotFound(f"run {fid} is not recorded", remedy="its result comes with its handle")

    async def _revive(self, row: RunRow, *, stop: str | None = None) -> None:
        """Rebuild a run from its journal and go on with it, or end it as cancelled."""
        self._stuck.pop(row.fid, None)
        self._sleepers.discard(row.fid)
        events = await self.store.events(row.fid)
        started = events[0]
        if stop is not None:
            journal = Journal(row.fid, self.committer, self.clock, seq=events[-1].seq)
            Execution.end_cancelled(journal, started.time, stop)
            await journal.durable()
            self._ended(row.fid)
            return
        flow = await self._flow_of(row)
        await self.prepare(flow)
        record = flow.settings.record
        journal = Journal(row.fid, self.committer, self.clock, record=record, seq=events[-1].seq)
        reason = "timer" if row.state is RunState.WAITING else "recovery"
        journal.emit(EventType.RUN_RESUMED, "", {"reason": reason})
        journal.change(state=RunState.RUNNING, wake_at=None)
        restarts = sum(1 for event in events if "restart" in event.data and event.type == EventType.RUN_RESUMED)
        inputs = started.data["inputs"]
        self._execute(flow, journal, inputs, started.time, Replay.fold(events), restarts=restarts)

    async def _revive_or_report(self, row: RunRow) -> None:
        try:
            await self._revive(row)
        except StoreError:
            raise
        except PenstockError as error:
            self.committer.changes[row.fid] = RunChange(fid=row.fid, error=error.message)
            await self.committer.committed()
            self._stuck[row.fid] = error
            self._ended(row.fid, error)
            self.streams.wake(row.fid)

    async def _flow_of(self, row: RunRow) -> Flow:
        flow = self._flows.get(row.revision)
        if flow is None:
            by_name = [known for known in self._flows.values() if known.source == "python"]
            flow = next((known for known in by_name if known.name == row.flow), None)
        if flow is None:
            document = await self.store.revision(row.revision)
            if document is None:
                raise RunNotFound(f"the store does not hold revision {row.revision} of run `{row.fid}`")
            flow = self._loader.restore(document)
            self._flows[row.revision] = flow
        return flow

    # --- what the parts report ----------------------------------------------------

    @property
    def resident(self) -> int:
        """How many runs are in memory now; those that only wait leave it."""
        return len(self._executions)

    def _is_live(self, fid: str) -> bool:
        return fid in self._executions

    def _published(self, journal: Journal, events: list[Event]) -> None:
        self.streams.publish(journal.fid, events)

    def _broken(self, journals: list[Journal], error: StoreError) -> None:
        for journal in journals:
            execution = self._executions.get(journal.fid)
            if execution is not None:
                execution.stop(Stop.BROKEN, str(error))

    def waits(self, execution: Execution) -> None:
        """A run only waits: put it aside soon, or at once when there are many of them."""
        if self._closing:
            return
        if len(self._executions) > RESIDENT:
            execution.stop(Stop.EVICT)
        else:
            execution.evict_later(self.evict_after)

    def departed(self, execution: Execution) -> None:
        """An execution is over: its run ended, was put aside, or cannot be written."""
        fid = execution.journal.fid
        if self._executions.get(fid) is execution:
            del self._executions[fid]
        self._room.set()
        if execution.broken is not None:
            self._stuck[fid] = execution.broken
        self.streams.wake(fid)
        if execution.evicted_until is not None and not self._closing:
            self._sleepers.add(fid, execution.evicted_until)
            return
        self._ended(fid, execution.broken)

    def _ended(self, fid: str, broken: PenstockError | None = None) -> None:
        end = self._ends.pop(fid, None)
        if end is None or end.done():
            return
        if broken is not None:
            end.set_exception(broken)
        elif self._closing:
            end.set_exception(_suspended(fid))
        else:
            end.set_result(None)

    def _woken(self, fid: str) -> None:
        """A run is due. One task brings back all that are, no more at a time than fit."""
        self._due[fid] = None
        if self._waker is None or self._waker.done():
            self._waker = self.own(self._wake_due(), "penstock:waker")

    async def _wake_due(self) -> None:
        while self._due and not self._closing:
            if len(self._executions) >= RESIDENT:
                self._room.clear()
                await self._room.wait()
                continue
            fid = next(iter(self._due))
            try:
                row = await self.store.run(fid)
                if row is not None and not row.state.terminal and not self._is_live(fid):
                    await self._revive_or_report(row)
            except StoreError as error:
                self._ended(fid, error)
            self._due.pop(fid, None)
            await asyncio.sleep(0)  # the loop belongs to those that run, too

    def own(self, work: Any, name: str) -> asyncio.Task[Any]:
        """A task of this runtime, ended with it at the latest."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _listen(self) -> None:
        if not any(task.get_name() == _SIGNALS for task in self._tasks):
            self.own(self._follow_signals(), _SIGNALS)

    async def _follow_signals(self) -> None:
        async for fid, signal in self.store.signals():
            word, _, reason = signal.partition(" ")
            if word == "cancel":
                self.own(self.cancel(fid, reason), f"penstock:cancel:{fid}")


def _suspended(fid: str) -> RunSuspended:
    return RunSuspended(
        f"the runtime stopped before run {fid} ended",
        fid=fid,
        remedy=f"nothing is lost: `penstock runs resume {fid}` goes on",
    )


_SIGNALS: Final = "penstock:signals"


def _succeeded(event: Event) -> bool:
    """Whether an event belongs to what a retry need not do again."""
    if event.type == EventType.NODE_COMPLETED:
        return True
    return event.type == EventType.CHILD_COMPLETED and not isinstance(event.data.get("error"), Error)
