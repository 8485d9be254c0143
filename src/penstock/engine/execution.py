"""One execution of a run: from its start or revival to its end or to its being put aside."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import RunTimeout, StoreError
from penstock.core.events import Event, EventType
from penstock.core.payload import Error, Payload
from penstock.core.policies import Strategy
from penstock.core.states import RunState
from penstock.engine.firing import Failure
from penstock.engine.live import LiveRun
from penstock.engine.locks import initial
from penstock.engine.locks.initial import Given
from penstock.engine.locks.registry import Locks
from penstock.engine.observer import Outcome, Subject
from penstock.engine.outcome import cancellation_of, failure_of

if TYPE_CHECKING:
    from penstock.core.clock import Timer
    from penstock.engine.flow import Flow
    from penstock.engine.journal import Journal
    from penstock.engine.replay import Replay
    from penstock.engine.runtime import Runtime

SUMMARY: Final = 500
"""How many characters of an error's first line stand in the run's row."""


class Stop(IntEnum):
    """Why an execution is asked to stop before its run has ended; a later one outranks."""

    EVICT = auto()
    SUSPEND = auto()
    TIMEOUT = auto()
    CANCEL = auto()
    BROKEN = auto()


class Execution:
    """The task that brings a run to its end.

    ended: done when the execution is over, however. evicted_until: when a run that was put
    aside goes on, in epoch seconds; infinity when it waits for people alone. broken: why the
    journal could not be written. end: the terminal event, once it is on disk. outcome: the
    result of a run that is recorded nowhere else.
    """

    def __init__(
        self,
        runtime: Runtime,
        flow: Flow,
        journal: Journal,
        given: Given,
        *,
        started: float,
        replay: Replay | None,
        restarts: int = 0,
        not_before: float = 0.0,
        trace: str = "",
    ) -> None:
        self.runtime = runtime
        self.flow = flow
        self.journal = journal
        self.given = given
        self.started = started
        self.replay = replay
        self.restarts = restarts
        self.not_before = not_before
        self.trace = trace
        self.evicted_until: float | None = None
        self.broken: StoreError | None = None
        self.end: Event | None = None
        self._away = not runtime.executors.here(flow)
        past = None if replay is None else replay.locks
        self.locks = Locks(journal, past=past, restarts=restarts, away=self._away)
        self._live: LiveRun | None = None
        self._stop: Stop | None = None
        self._reason = ""
        self._begun = False
        self._ending = False
        self._wake_at: float | None = None
        self._timers: list[Timer] = []
        self._eviction: Timer | None = None
        self.outcome: asyncio.Future[Payload] | None = None
        if journal.silent:
            self.outcome = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Task[None]

    @property
    def subject(self) -> Subject:
        """The run as observers are told of it."""
        return Subject(self.flow.namespace, self.flow.name, self.journal.fid)

    def begin(self) -> None:
        """Start the task; it belongs to the runtime."""
        self.ended = self.runtime.own(self._run(), f"penstock:run:{self.journal.fid}")

    def stop(self, why: Stop, reason: str = "") -> None:
        """Ask the execution to stop. A run that is about to end by itself is left to it."""
        if self._ending or (self._stop is not None and self._stop >= why):
            return
        if why is Stop.EVICT:
            if self._live is None or not self._live.evictable:
                return
            wake_at = self._live.wake_at
            self._wake_at = math.inf if wake_at is None else wake_at
        if why in (Stop.EVICT, Stop.SUSPEND):
            self.journal.closed = True
        self._reason = reason
        if self._live is not None:
            self._live.stopped = True
        if self._stop is None and self._begun:
            self.ended.cancel()
        self._stop = why

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop, so that nothing more can be brought to it."""
        return self._stop is not None or self._ending

    def evict_later(self, seconds: float) -> None:
        """Put the run aside if it still only waits after so many seconds."""
        if self._eviction is not None:
            self._eviction.cancel()
        self._eviction = self.runtime.clock.call_later(seconds, lambda: self.stop(Stop.EVICT))

    # --- the task -----------------------------------------------------------------

    async def _run(self) -> None:
        # Cancelling a task that has not begun would skip all of this.
        self._begun = True
        observer = self.runtime.observer
        if observer is not None:
            observer.run_entered(self.subject, self.trace)
        try:
            if self._stop is None:
                await self._bring_to_end()
            else:
                await self._stopped()
        except StoreError as error:
            self.broken = error
        except asyncio.CancelledError:
            try:
                await self._stopped()
            except StoreError as error:
                self.broken = error
        finally:
            for timer in (*self._timers, self._eviction):
                if timer is not None:
                    timer.cancel()
            self.runtime.departed(self)
            if observer is not None:
                observer.run_left(self.subject)
            if self.outcome is not None and not self.outcome.done():
                self.outcome.cancel()

    async def _bring_to_end(self) -> None:
        self._limit()
        while True:
            await self._wait_to_begin()
            self._live = live = LiveRun(
                self.journal.fid,
                self.flow,
                self.journal,
                clock=self.runtime.clock,
                replay=self.replay,
                probe=self.runtime.probe,
                threads=self.runtime.threads,
                leases=self.runtime.leases,
                on_waiting=lambda _: self.runtime.waits(self),
                prepare=self.runtime.revisions.prepare,
                syscalls=self.runtime.syscalls,
                observer=self.runtime.observer,
                inspector=self.runtime.inspector,
                locks=self.locks,
                edited=self.given.edited,
                folders=self.runtime.folders,
            )
            try:
                await self._ask(live)
                live.deadline = self._deadline()
                result = await self._execute(live)
            except Failure as failure:
                if await self._restart(failure.error):
                    continue
                await self._end(EventType.RUN_FAILED, RunState.FAILED, error=failure.error)
            except StoreError:
                raise
            except Exception as error:
                # NonDeterminism, or a defect: either way the run has an end and a reason.
                await self._end(EventType.RUN_FAILED, RunState.FAILED, error=Error.from_exception(error))
            else:
                failures = {"failures": live.failures} if live.failures else {}
                await self._end(EventType.RUN_COMPLETED, RunState.COMPLETED, result=result, **failures)
            return

    async def _execute(self, live: LiveRun) -> Payload:
        try:
            executor = self.runtime.executors.of(self.flow)
            return await executor.execute(self.flow, live, self.given.inputs, kept=self)
        finally:
            # Code that swallowed the word to stop, or failed over it, does not decide the end.
            if self._stop is not None:
                raise asyncio.CancelledError

    async def _ask(self, live: LiveRun) -> None:
        """Ask for the inputs that the flow cannot begin without."""
        if self.given.missing:
            self.given = await initial.ask(self.flow, self.given, run=live)
            self._limit()

    async def history(self) -> list[Event]:
        """The events so far, all of them on disk; see `Kept`."""
        if self.journal.silent:
            return []
        await self.journal.durable()
        return await self.runtime.store.events(self.journal.fid)

    async def values(self) -> Mapping[str, Payload]:
        """The value documents that the flow refers to; see `Kept`."""
        return await self.runtime.revisions.values(self.flow)

    async def _restart(self, error: Error) -> bool:
        """Whether the flow begins anew after this failure."""
        policy = self.flow.settings.on_error
        if policy.strategy is not Strategy.RETRY or self.restarts >= policy.max_retries:
            return False
        self.restarts += 1
        self.not_before = self.runtime.clock.now() + policy.delay.total_seconds()
        facts = {"reason": "restart", "restart": self.restarts, "error": error, "until": self.not_before}
        self.journal.emit(EventType.RUN_RESUMED, "", facts)
        self.replay = None
        self.locks = Locks(self.journal, restarts=self.restarts, away=self._away)
        return True

    async def _wait_to_begin(self) -> None:
        """Wait for the delay of a restart to be over, or for what a replay left of it."""
        wait = self.not_before - self.runtime.clock.now()
        if wait > 0:
            await self.journal.durable()
            over = asyncio.Event()
            self._timers.append(self.runtime.clock.call_later(wait, over.set))
            await over.wait()

    # --- limits -------------------------------------------------------------------

    def _deadline(self) -> float | None:
        limit = self.flow.settings.timeout
        if limit is None or self.given.missing:
            return None
        since = self.started if self.given.since is None else self.given.since
        return since + limit.total_seconds()

    def _limit(self) -> None:
        deadline = self._deadline()
        if deadline is not None:
            wait = max(deadline - self.runtime.clock.now(), 0.0)
            self._timers.append(self.runtime.clock.call_later(wait, lambda: self.stop(Stop.TIMEOUT)))

    async def _stopped(self) -> None:
        """What a cancelled task means depends on who asked for it."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            task.uncancel()
        if self._stop is Stop.BROKEN:
            self.broken = self.journal.failed
            return
        self.journal.closed = self._stop in (Stop.EVICT, Stop.SUSPEND)
        if self._stop is Stop.TIMEOUT:
            limit = self.flow.settings.timeout
            error = RunTimeout(f"the run took longer than {limit}", remedy="raise the flow's `timeout`")
            await self._end(EventType.RUN_FAILED, RunState.FAILED, error=Error.from_exception(error))
        elif self._stop is Stop.CANCEL:
            await self._end(EventType.RUN_CANCELLED, RunState.CANCELLED, reason=self._reason)
        elif self._stop is None:
            text = "something that the flow waited for was cancelled, by nobody that Penstock knows"
            await self._end(
                EventType.RUN_FAILED, RunState.FAILED, error=Error(code="cancelled", message=text)
            )
        else:
            await self.journal.durable()
            self.evicted_until = self._wake_at if self._stop is Stop.EVICT else None

    async def _end(self, type: EventType, state: RunState, **facts: Any) -> None:  # noqa: A002 - the field
        """The one terminal event of the run, on disk before anybody hears of it."""
        self._ending = True
        now = self.runtime.clock.now()
        facts["duration_ms"] = round((now - self.started) * 1000, 3)
        if self.journal.redactor is not None:  # the row and the outcome show no secret either
            facts = self.journal.redactor.event(facts)
        error = facts.get("error")
        summary = _summary(error.message) if isinstance(error, Error) else ""
        self.journal.change(state=state, ended=now, wake_at=None, error=summary)
        if self._away or self.locks.count:
            self.journal.change(locks=0)
        self.journal.emit(type, "", facts)
        await self.journal.durable()
        self.end = Event(self.journal.seq, now, type, "", facts)
        if self.runtime.observer is not None:
            why = error if isinstance(error, Error) else None
            self.runtime.observer.run_ended(self.subject, Outcome(state), now - self.started, why)
        if self.outcome is None:
            return
        if type is EventType.RUN_COMPLETED:
            self.outcome.set_result(facts["result"])
        elif isinstance(error, Error):
            self.outcome.set_exception(failure_of(self.journal.fid, error))
        else:
            self.outcome.set_exception(cancellation_of(self.journal.fid, self._reason))
        if self.outcome.done() and not self.outcome.cancelled():
            self.outcome.exception()  # whoever asks gets it; nobody needs to

    @staticmethod
    def end_cancelled(journal: Journal, started: float, reason: str) -> None:
        """End a run that nothing executes."""
        duration_ms = round((journal.now() - started) * 1000, 3)
        journal.change(state=RunState.CANCELLED, ended=journal.now(), wake_at=None, locks=0)
        journal.emit(EventType.RUN_CANCELLED, "", {"reason": reason, "duration_ms": duration_ms})


def _summary(message: str) -> str:
    """What the run's row says of its error; the event has all of it."""
    line = message.partition("\n")[0]
    return line if len(line) <= SUMMARY else f"{line[:SUMMARY]}…"
