"""One execution of a run: from its start or revival to its end or to its being put aside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from penstock.core.errors import NonDeterminism, RunTimeout, StoreError
from penstock.core.events import EventType
from penstock.core.payload import Error, Payload
from penstock.core.policies import Strategy
from penstock.core.states import RunState
from penstock.engine.firing import Failure
from penstock.engine.live import LiveRun
from penstock.engine.outcome import failure_of

if TYPE_CHECKING:
    from penstock.core.clock import Timer
    from penstock.engine.flow import Flow
    from penstock.engine.journal import Journal
    from penstock.engine.replay import Replay
    from penstock.engine.runtime import Runtime


class Stop(Enum):
    """Why an execution is asked to stop before its run has ended."""

    CANCEL = auto()
    TIMEOUT = auto()
    SUSPEND = auto()
    EVICT = auto()
    BROKEN = auto()


class Execution:
    """The task that brings a run to its end.

    ended: done when the execution is over, however. evicted_until: when a run that was put
    aside goes on, in epoch seconds. broken: why the journal could not be written.
    """

    def __init__(
        self,
        runtime: Runtime,
        flow: Flow,
        journal: Journal,
        inputs: Mapping[str, Payload],
        *,
        started: float,
        replay: Replay | None,
        restarts: int = 0,
    ) -> None:
        self.runtime = runtime
        self.flow = flow
        self.journal = journal
        self.inputs = inputs
        self.started = started
        self.replay = replay
        self.restarts = restarts
        self.evicted_until: float | None = None
        self.broken: StoreError | None = None
        self._live: LiveRun | None = None
        self._stop: Stop | None = None
        self._reason = ""
        self._timers: list[Timer] = []
        self._result: asyncio.Future[Payload] | None = None
        self.ended: asyncio.Task[None]

    def begin(self) -> None:
        """Start the task; it belongs to the runtime."""
        self.ended = self.runtime.own(self._run(), f"penstock:run:{self.journal.fid}")

    def stop(self, why: Stop, reason: str = "") -> None:
        """Ask the execution to stop. The first reason counts, but for a broken journal."""
        if why is Stop.EVICT and not (self._live is not None and self._live.evictable):
            return
        if self._stop is None or why is Stop.BROKEN:
            self._stop, self._reason = why, reason
        self.ended.cancel()

    def evict_later(self, seconds: float) -> None:
        """Put the run aside if it still only waits after so many seconds."""
        self._timers.append(self.runtime.clock.call_later(seconds, lambda: self.stop(Stop.EVICT)))

    def outcome(self) -> asyncio.Future[Payload]:
        """The result of a run that is not recorded anywhere."""
        if self._result is None:
            self._result = asyncio.get_running_loop().create_future()
        return self._result

    # --- the task -----------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._bring_to_end()
        except StoreError as error:
            self.broken = error
        except asyncio.CancelledError:
            await self._stopped()
        finally:
            for timer in self._timers:
                timer.cancel()
            self.runtime.departed(self)
            if self._result is not None and not self._result.done():
                self._result.cancel()

    async def _bring_to_end(self) -> None:
        self._limit()
        while True:
            self._live = live = LiveRun(
                self.journal.fid,
                self.flow,
                self.journal,
                clock=self.runtime.clock,
                replay=self.replay,
                probe=self.runtime.probe,
                threads=self.runtime.threads,
                on_waiting=lambda _: self.runtime.waits(self),
            )
            live.deadline = self._deadline()
            try:
                result = await self.flow.execute(live, self.inputs)
                self._check_replay()
            except Failure as failure:
                if await self._restart(failure.error):
                    continue
                await self._end(EventType.RUN_FAILED, RunState.FAILED, error=failure.error)
            except NonDeterminism as error:
                await self._end(EventType.RUN_FAILED, RunState.FAILED, error=Error.from_exception(error))
            else:
                failures = {"failures": live.failures} if live.failures else {}
                await self._end(EventType.RUN_COMPLETED, RunState.COMPLETED, result=result, **failures)
            return

    def _check_replay(self) -> None:
        unasked = self.replay.unasked() if self.replay is not None else None
        if unasked is not None:
            raise NonDeterminism(
                f"the journal holds an outcome of `{unasked}`, which `{self.flow.name}` no longer reaches",
                fid=self.journal.fid,
                remedy="finish running runs on the old code, or start a new run on the new one",
            )

    async def _restart(self, error: Error) -> bool:
        """Whether the flow begins anew after this failure."""
        policy = self.flow.settings.on_error
        if policy.strategy is not Strategy.RETRY or self.restarts >= policy.max_retries:
            return False
        self.restarts += 1
        facts = {"reason": "restart", "restart": self.restarts, "error": error}
        self.journal.emit(EventType.RUN_RESUMED, "", facts)
        self.replay = None
        if policy.delay:
            waiter = asyncio.get_running_loop().create_future()
            self._timers.append(
                self.runtime.clock.call_later(policy.delay.total_seconds(), lambda: waiter.set_result(None))
            )
            await waiter
        return True

    # --- limits -------------------------------------------------------------------

    def _deadline(self) -> float | None:
        limit = self.flow.settings.timeout
        return None if limit is None else self.started + limit.total_seconds()

    def _limit(self) -> None:
        deadline = self._deadline()
        if deadline is not None:
            wait = max(deadline - self.runtime.clock.now(), 0.0)
            self._timers.append(self.runtime.clock.call_later(wait, lambda: self.stop(Stop.TIMEOUT)))

    async def _stopped(self) -> None:
        """What a cancelled task means depends on who asked for it."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if self._stop is Stop.BROKEN:
            self.broken = self.journal.failed
        elif self._stop is Stop.TIMEOUT:
            limit = self.flow.settings.timeout
            error = RunTimeout(f"the run took longer than {limit}", remedy="raise the flow's `timeout`")
            await self._end_safely(EventType.RUN_FAILED, RunState.FAILED, error=Error.from_exception(error))
        elif self._stop is Stop.CANCEL:
            await self._end_safely(EventType.RUN_CANCELLED, RunState.CANCELLED, reason=self._reason)
        elif self._stop is Stop.EVICT and self._live is not None:
            self.evicted_until = self._live.deadline if self._live.wake_at is None else self._live.wake_at

    async def _end_safely(self, type: EventType, state: RunState, **facts: Any) -> None:  # noqa: A002
        try:
            await self._end(type, state, **facts)
        except StoreError as error:
            self.broken = error

    async def _end(self, type: EventType, state: RunState, **facts: Any) -> None:  # noqa: A002 - the field
        """The one terminal event of the run, on disk before anybody hears of it."""
        now = self.runtime.clock.now()
        facts["duration_ms"] = round((now - self.started) * 1000, 3)
        self.journal.emit(type, "", facts)
        error = facts.get("error")
        summary = error.message if isinstance(error, Error) else ""
        self.journal.change(state=state, ended=now, wake_at=None, error=summary)
        await self.journal.durable()
        if self._result is None or self._result.done():
            return
        if type is EventType.RUN_COMPLETED:
            self._result.set_result(facts["result"])
        elif isinstance(error, Error):
            self._result.set_exception(failure_of(self.journal.fid, error))

    @staticmethod
    def end_cancelled(journal: Journal, started: float, reason: str) -> None:
        """End a run that nothing executes."""
        duration_ms = round((journal.now() - started) * 1000, 3)
        journal.emit(EventType.RUN_CANCELLED, "", {"reason": reason, "duration_ms": duration_ms})
        journal.change(state=RunState.CANCELLED, ended=journal.now(), wake_at=None)
