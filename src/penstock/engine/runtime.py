"""The runtime: starts runs, follows them to their end, and stops without losing one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from penstock.core.errors import (
    PenstockError,
    RunBusy,
    RunNotFound,
    RunSuspended,
    StoreAway,
    StoreError,
    StoreLost,
)
from penstock.core.events import Event
from penstock.core.locks import Decision, LockRecord
from penstock.core.payload import Payload
from penstock.core.store import EVERY_RUN, RunQuery, RunRow, Store
from penstock.engine.attachment import attach, taken_over
from penstock.engine.clock import SystemClock
from penstock.engine.ends import Ends
from penstock.engine.execution import Execution, Stop
from penstock.engine.executor import Executor, Executors
from penstock.engine.fid import new_fid
from penstock.engine.folder import RunFolders
from penstock.engine.journal import Committer, Journal, Written
from penstock.engine.launching import Beginning, Launching
from penstock.engine.leases import Leases
from penstock.engine.live import no_probe
from penstock.engine.locks.carrier import Carrier
from penstock.engine.locks.initial import Given, given
from penstock.engine.locks.submissions import FoundLock, Submissions, submission
from penstock.engine.observer import Observer
from penstock.engine.outcome import outcome_of
from penstock.engine.ownership import Ownership
from penstock.engine.recovery import RESIDENT, Recovery
from penstock.engine.replay import Replay
from penstock.engine.retrying.retrying import Retry
from penstock.engine.revisions import Revisions, ValuesOf
from penstock.engine.run import Run
from penstock.engine.stream import Streams

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.engine.flow import Flow
    from penstock.engine.inspection.inspector import Inspector
    from penstock.engine.loading import Loader
    from penstock.engine.syscalls.opcodes import Syscall

THREADS: Final = 32

LOOK_SECONDS: Final = 2.0
"""How often whoever waits for another process looks whether it still lives."""


class Runtime:
    """Executes runs over one store. Use it as an async context manager, once.

    store: where runs are kept. loader: makes flows of what the store kept of them, to go
    on with runs that another process began. flows: Python flows that are known by name.
    recover: go on with every unfinished run that no live runtime owns. evict_after:
    seconds that a run which only waits stays in memory. probe: called with the name of
    each point at which a test may want to crash. observer: told of what happens.
    inspector: asked at every port that a packet passes; it slows everything down. values_of:
    the values of a namespace, for runs whose flows want some that the loader does not have.
    executors: where runs may be executed but here, by the name that flows use; closed with it.
    files: where the folders of runs are; by default in a temporary place.
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
        observer: Observer | None = None,
        inspector: Inspector | None = None,
        values_of: ValuesOf | None = None,
        executors: Mapping[str, Executor] | None = None,
        files: Path | None = None,
    ) -> None:
        self.store = store
        self.folders = RunFolders(files)
        self.executors = Executors(executors)
        self.loader = loader
        self.clock: Clock = clock or SystemClock()
        self.evict_after = evict_after
        self.probe = probe
        self.observer = observer
        self.inspector = inspector
        self.syscalls: dict[str, Syscall] = {}
        self.streams = Streams(store, is_here=self.is_here, check=self.check)
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="penstock")
        self.leases = Leases()
        self.committer = Committer(
            store,
            published=self._published,
            watched=lambda: self.streams.followed,
            broken=self._broken,
            clock=self.clock,
            observer=observer,
        )
        self.revisions = Revisions(store, loader, flows, values_of=values_of)
        self._recovery = Recovery(self)
        self._recover = recover
        self._executions: dict[str, Execution] = {}
        carrier = Carrier(self, executions=self._executions, recovery=self._recovery)
        self._submissions = Submissions(self, executions=self._executions, carrier=carrier)
        self._ownership = Ownership(
            self,
            self._recovery,
            executions=self._executions,
            carrier=carrier,
            take_all=recover,
        )
        self._launching = Launching(self, recovery=self._recovery, ownership=self._ownership)
        self._ends = Ends()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    # --- life ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.refuse_closed()
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
        self._recovery.close()
        executions = list(self._executions.values())
        for execution in executions:
            execution.stop(Stop.SUSPEND)
        try:
            await asyncio.gather(*(execution.ended for execution in executions), return_exceptions=True)
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._ends.close()  # of runs that were not in memory
            self.streams.wake()
            await self.committer.close()
            await self.executors.close()
            await self.revisions.unload()
        finally:
            self.threads.shutdown(wait=False, cancel_futures=True)
            self.folders.close()
            await self.store.close()

    def own(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task of this runtime, ended with it at the latest."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def refuse_closed(self) -> None:
        """Raise PenstockError when the runtime has closed."""
        if self._closing:
            raise PenstockError("the runtime has closed", remedy="make another one: it opens only once")

    # --- starting -----------------------------------------------------------------

    async def start(self, flow: Flow, /, **inputs: Any) -> Run:
        """Start a run with inputs by name. Returns when it is on disk. Raises InputError."""
        return await self.launch(flow, inputs)

    async def launch(
        self,
        flow: Flow,
        inputs: Mapping[str, Any] | None = None,
        *,
        fid: str | None = None,
        trace: str = "",
        launcher: str = "",
        key: str = "",
        open_inputs: bool = False,
    ) -> Run:
        """Start a run. Returns when it is on disk, so that it survives whatever comes.

        fid: the id to give it, when the caller wants to know it beforehand. trace: the W3C
        `traceparent` that it belongs to; that of the current task, if it is in a trace.
        launcher: the id of the principal who wants it. key: tells this launch from others: a
        run that was begun with it, by whatever process, is returned, and is not `fresh`. It
        has no effect for a flow whose runs are not recorded. open_inputs: where required inputs
        are missing, the run begins all the same, and asks for them with a lock. An `Attachment`
        among the inputs is put into the run's folder. Raises InputError, and OSError where an
        attachment cannot be put there.
        """
        attached = attach(inputs or {})
        sources = attached.sources
        return await self._launching.begin(
            flow,
            Beginning(
                fid=fid or new_fid(self.clock.now()),
                given=given(flow, attached.inputs, ask=open_inputs),
                launcher=launcher,
                key=key,
                trace=trace,
                facts={"attached": sources} if sources else {},
                fill=attached.fill if attached.files else None,
            ),
        )

    async def retry(
        self,
        fid: str,
        *,
        from_start: bool = False,
        node: str = "",
        inputs: Mapping[str, Any] | None = None,
        launcher: str = "",
    ) -> Run:
        """Run again what a run was, as a new run that goes on from what had completed.

        from_start: take nothing from what is recorded. node: nor of this firing, and of what lies
        behind it. inputs: what its in-ports get this time, by name; those that are left out get
        what arrives. launcher: the id of the principal who wants it. Raises RunBusy for a run
        that has not ended, and RetryRefused for a firing or an in-port that is not there.
        """
        row = await Run(self, fid).row()
        if not row.state.terminal:
            raise RunBusy(f"run `{fid}` has not ended", remedy=f"`penstock runs cancel {fid}` ends it")
        flow = await self.revisions.of(row)
        events = await self.store.events(fid)
        retry = Retry(flow, fid, events, from_start=from_start, node=node, inputs=inputs)
        beginning = retry.beginning(fid=new_fid(self.clock.now()), launcher=launcher)
        fill = taken_over(self.folders.of(fid), given_only=from_start)
        return await self._launching.begin(flow, msgspec.structs.replace(beginning, fill=fill))

    def journal(self, fid: str, flow: Flow, *, seq: int = 0) -> Journal:
        """The journal of a run, from its event `seq` on."""
        return Journal(
            fid,
            self.committer,
            self.clock,
            record=flow.settings.record,
            seq=seq,
            redactor=flow.redactor,
        )

    def execute(
        self,
        flow: Flow,
        journal: Journal,
        given: Given,
        *,
        started: float,
        replay: Replay | None,
        restarts: int = 0,
        not_before: float = 0.0,
        trace: str = "",
    ) -> Execution:
        """Begin to execute a run that is on disk, from its start or from its replay.

        restarts: how often its flow has begun anew. not_before: when it may do so, in
        epoch seconds. trace: the W3C `traceparent` that the run belongs to.
        """
        self.refuse_closed()
        self._ends.hope(journal.fid)
        execution = Execution(
            self,
            flow,
            journal,
            given,
            started=started,
            replay=replay,
            restarts=restarts,
            not_before=not_before,
            trace=trace,
        )
        self._executions[journal.fid] = execution
        self.revisions.acquire(flow)
        execution.begin()
        return execution

    # --- looking ------------------------------------------------------------------

    def get(self, fid: str) -> Run:
        """The handle of a run, whether it lives, waits or has ended."""
        return Run(self, fid)

    async def runs(self, query: RunQuery = EVERY_RUN) -> list[RunRow]:
        """The runs that a query asks for, newest first."""
        return await self.store.runs(query)

    @property
    def resident(self) -> int:
        """How many runs are in memory now; those that only wait leave it."""
        return len(self._executions)

    def is_live(self, fid: str) -> bool:
        """Whether a run is in memory and executed here."""
        return fid in self._executions

    def is_here(self, fid: str) -> bool:
        """Whether a run is executed here, or will be: all that is committed of it passes by here."""
        return self.is_live(fid) or self._recovery.holds(fid)

    async def result(self, fid: str) -> Payload:
        """Wait for the end of a run; see `Run.result`."""
        while True:
            self.check(fid)
            if self.is_here(fid):
                event = await self._ends.of(fid)
                if event is not None:
                    return outcome_of(fid, event)
                continue
            row = await Run(self, fid).row()
            if row.state.terminal:
                return outcome_of(fid, (await self.store.events(fid, after=row.seq - 1))[-1])
            await self.store.changed(fid, after=row.seq)

    async def ended(self, fid: str) -> None:
        """Return when nothing executes this run here any more."""
        execution = self._executions.get(fid)
        if execution is not None:
            await asyncio.wait([execution.ended])

    def check(self, fid: str) -> None:
        """Refuse to wait for a run that will not go on here."""
        if self._closing:
            raise _suspended(fid)
        self._ends.check(fid)
        execution = self._executions.get(fid)
        if execution is not None and execution.journal.silent:
            raise RunNotFound(f"run {fid} is not recorded", remedy="its result comes with its handle")

    # --- locks --------------------------------------------------------------------

    async def locks(self, fid: str) -> list[LockRecord]:
        """All locks of a run and its children, in the order they were opened. Raises RunNotFound."""
        return await self._submissions.locks(fid)

    async def open_locks(self, query: RunQuery = EVERY_RUN) -> list[FoundLock]:
        """The open locks of the runs that a query asks for, newest runs first."""
        return await self._submissions.open_locks(query)

    async def submit(
        self,
        fid: str,
        lid: str,
        value: Any,
        *,
        by: str = "",
        id: str = "",  # noqa: A002
    ) -> Decision:
        """Submit a candidate for a lock, and return what the flow decided about it.

        The run may be executed by another process, or wait on disk. by: the id of the principal
        who submits. id: tells the candidate from others: the same one again is no second
        candidate, and gets the same answer. Raises RunNotFound, LockNotFound, LockClosed,
        CandidateInvalid for one that does not fit the lock's schema, LockUndecided when the flow
        has not decided within the lock's `release_timeout`, and RunSuspended.
        """
        self.refuse_closed()
        self._ownership.follow()
        return await self._submissions.submit(fid, submission(lid, value, by=by, id=id))

    # --- ending and going on ------------------------------------------------------

    async def cancel(self, fid: str, reason: str = "") -> None:
        """End a run; see `Run.cancel`. A run of another live process is asked to end."""
        row = None if self.is_live(fid) else await Run(self, fid).row()
        execution = self._executions.get(fid)
        if execution is not None:
            execution.stop(Stop.CANCEL, reason)
            await asyncio.wait([execution.ended])
            if isinstance(execution.broken, StoreAway):  # the run will go on
                raise execution.broken
        elif row is not None and not row.state.terminal:
            await self._cancel_elsewhere(row, reason)

    async def _cancel_elsewhere(self, row: RunRow, reason: str) -> None:
        """End a run that is not in memory here: by a word to its owner, or in its place.

        An owner that dies before it has heeded the word tells nobody: so it is looked for.
        """
        told = ""
        while not row.state.terminal:
            if row.owner in ("", self.store.owner) or not await self.store.alive(row.owner):
                await self._recovery.end_cancelled(await self._recovery.claim(row), reason)
                self.wake_waiters(row.fid)
                return
            if row.owner != told:
                told = row.owner
                await self.store.signal(row.fid, f"cancel {reason}".strip())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.store.changed(row.fid, after=row.seq)
            row = await Run(self, row.fid).row()

    async def resume(self, fid: str) -> Run:
        """Go on with an unfinished run. Raises RunBusy when another process executes it."""
        self.refuse_closed()
        self._ownership.follow()
        self._ends.hope(fid)
        row = await Run(self, fid).row()
        if not row.state.terminal and not self.is_live(fid):
            await self._recovery.revive(await self._recovery.claim(row))
        return Run(self, fid)

    async def resume_all(self) -> list[Run]:
        """Go on with every unfinished run that no live runtime owns, oldest first.

        A run whose flow cannot be found or no longer compiles stays as it is; the reason
        is kept in its row.
        """
        self._ownership.follow()
        return [Run(self, fid) for fid in await self._recovery.claim_all()]

    # --- what the parts report ----------------------------------------------------

    def _published(self, written: list[Written]) -> None:
        for journal, events in written if self.streams.followed else ():
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
        if self.resident > RESIDENT:
            execution.stop(Stop.EVICT)
        else:
            execution.evict_later(self.evict_after)

    def departed(self, execution: Execution) -> None:
        """An execution is over: its run ended, was put aside, or cannot be written."""
        fid = execution.journal.fid
        self._executions.pop(fid, None)
        if self.revisions.release(execution.flow):
            self.own(self.revisions.drop(execution.flow), f"penstock:unload:{execution.flow.name}")
        self.folders.let_go(fid, keep=not execution.journal.silent)
        self._recovery.has_room()
        if execution.evicted_until is not None and not self._closing:
            self._recovery.put_aside(fid, execution.evicted_until)
        elif isinstance(execution.broken, StoreLost):
            self.wake_waiters(fid)
        elif isinstance(execution.broken, StoreAway) and not self._closing:
            self._recovery.await_store(fid)  # and whoever waits for the run goes on waiting
        elif execution.broken is not None:
            self.gave_up(fid, execution.broken)
        else:
            self.wake_waiters(fid, execution.end)

    def gave_up(self, fid: str, error: PenstockError) -> None:
        """A run cannot go on here: whoever waits for it, now or later, is told why."""
        self._ends.give_up(fid, error)
        self.streams.wake(fid)

    def wake_waiters(self, fid: str, event: Event | None = None) -> None:
        """Give who waits for a run its end; without one they look for it, wherever it is now."""
        self._ends.come(fid, event)
        self.streams.wake(fid)


def _suspended(fid: str) -> RunSuspended:
    return RunSuspended(
        f"the runtime stopped before run {fid} ended",
        fid=fid,
        remedy=f"nothing is lost: `penstock runs resume {fid}` goes on",
    )
