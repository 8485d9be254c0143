"""A run in a worker, seen from the host: what the worker asks for is done here, as far as it may."""

from __future__ import annotations

import asyncio
import functools
import itertools
from typing import TYPE_CHECKING, Final

from penstock.core.errors import StoreError
from penstock.core.events import EventType
from penstock.core.payload import Payload
from penstock.engine.firing import Failure
from penstock.executors.subprocess.channel import Garbled
from penstock.executors.subprocess.facts import unpack, unpack_error, unpack_facts
from penstock.executors.subprocess.guard import Guard
from penstock.executors.subprocess.loss import Cause, WorkerLost
from penstock.executors.subprocess.messages import (
    Answered,
    Commit,
    Done,
    Execute,
    Failed,
    Heard,
    Hold,
    Said,
    Stop,
    Stopped,
    Taken,
    Word,
)

if TYPE_CHECKING:
    from penstock.core.policies import WorkerLimits
    from penstock.engine.live import LiveRun
    from penstock.executors.subprocess.messages import Outcome, Report
    from penstock.executors.subprocess.process import WorkerProcess

EXIT_SECONDS: Final = 2.0
"""How long a worker that has hung up may take to end."""

_OVER: Final = (EventType.NODE_COMPLETED, EventType.NODE_FAILED, EventType.NODE_RETRYING)


class Assignment:
    """One run in one worker, until it is over or the worker is lost.

    grace: seconds that a worker has to stop in before it is killed. usable: the worker has done
    what it was told, and may be given another run.
    """

    def __init__(
        self,
        order: Execute,
        run: LiveRun,
        worker: WorkerProcess,
        *,
        limits: WorkerLimits,
        grace: float,
    ) -> None:
        self._order = order
        self._run = run
        self._worker = worker
        self._limits = limits
        self._guard = Guard(worker, limits, run.clock)
        self._grace = grace
        self._at_work: dict[str, None] = {}
        self._numbers = itertools.count()
        self._words: dict[int, str] = {}
        self._waits: tuple[float | None, bool] | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self.usable = False

    async def carry_out(self) -> Payload:
        """Have the run executed, and return its result.

        Raises Failure, WorkerLost, StoreError, and NodeError for what is wrong around the flow.
        """
        run, worker, mark = self._run, self._worker, self._order.mark
        worker.stdout.follow(functools.partial(self._printed, EventType.NODE_STDOUT), mark)
        worker.stderr.follow(functools.partial(self._printed, EventType.NODE_STDERR), mark)
        worker.runs += 1
        worker.send(self._order)
        run.locks.forward(self._pass_on)
        relaying = asyncio.create_task(self._relay(), name=f"penstock:worker:{run.fid}")
        watching = asyncio.create_task(self._guard.watch_memory(), name=f"penstock:memory:{run.fid}")
        try:
            try:
                await asyncio.wait([relaying])
            except asyncio.CancelledError:
                await self._stop(relaying)
                raise
            return relaying.result()
        finally:
            run.locks.forward(None)
            self._guard.stop_counting()
            watching.cancel()
            await asyncio.gather(relaying, watching, *self._answers, return_exceptions=True)
            for word in self._words.values():  # which the worker has not written down
                run.hear(word)

    async def _stop(self, relaying: asyncio.Task[Payload]) -> None:
        """Have the worker stop, at the latest after the grace, or when the word comes twice."""
        self._guard.stop_counting()
        self._worker.send(Stop())
        try:
            await asyncio.wait([relaying], timeout=self._grace)
        finally:
            if not relaying.done():
                self._worker.kill()
                await asyncio.wait([relaying])

    def _pass_on(self, word: str) -> None:
        """Give the worker a word for the run, which is not put aside before it is written down."""
        number = next(self._numbers)
        self._words[number] = word
        self._goes_on("candidate")
        self._worker.send(Word(number, word))

    # --- what the worker says ---------------------------------------------------------

    async def _relay(self) -> Payload:
        """Do what the worker asks for until it has an outcome."""
        try:
            while (report := await self._worker.receive()) is not None:
                outcome = await self._heed(report)
                if outcome is not None:
                    self.usable = outcome.idle
                    await self._worker.finish_output()
                    return self._result(outcome)
        except (Garbled, ValueError) as error:
            self._guard.end(Cause.GARBLED)
            raise await self._lost(str(error)) from error
        raise await self._lost()

    async def _heed(self, report: Report) -> Outcome | None:
        """Do what is asked for; an outcome is the caller's. Raises ValueError for nonsense."""
        match report:
            case Taken():
                self._guard.begin_to_count()
            case Commit():
                self._commit(report)
            case Hold():
                self._worker.send(Answered(report.number, await self._hold()))
            case Heard():
                self._words.pop(report.number, None)
                self._consider()
            case Said():
                for kind, node, data in unpack_facts(report.facts):
                    self._run.emit_from_anywhere(kind, node, data)
            case Done() | Failed() | Stopped():
                return report
            case _:
                raise ValueError(f"a worker that executes a run said {type(report).__name__}")
        return None

    def _commit(self, commit: Commit) -> None:
        """Add to the stream; the answer follows when that is on disk, and nothing waits for it here."""
        for kind, node, data in unpack_facts(commit.facts):
            self._take(kind, node, data, pinned=commit.pinned)
        if commit.locks is not None:
            self._run.journal.change(locks=commit.locks)
        answer = asyncio.create_task(
            self._answer(commit.number), name=f"penstock:answer:{self._run.fid}"
        )
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def _answer(self, number: int) -> None:
        refusal = ""
        try:
            await self._run.journal.durable()
        except StoreError as error:
            refusal = error.message
        self._worker.send(Answered(number, refusal))

    def _take(self, kind: str, node: str, data: dict[str, Payload], *, pinned: bool) -> None:
        """Make an event of a fact; of what concerns the run as a whole, what it means for the run."""
        if kind == EventType.RUN_WAITING:
            until = data.get("until")
            self._waits = (until if isinstance(until, float | int) else None, pinned)
            self._consider()
            return
        if kind == EventType.RUN_RESUMED:
            self._waits = None
            self._goes_on(str(data.get("reason", "activity")))
            return
        if kind == EventType.NODE_STARTED:
            self._at_work[node] = None
        elif kind in _OVER:
            self._at_work.pop(node, None)
        self._run.journal.emit(kind, node, data)

    def _consider(self) -> None:
        """Put down that the run only waits, unless there are words with which it will go on."""
        if self._waits is not None and not self._words:
            until, pinned = self._waits
            self._guard.stop_counting()
            self._run.wait_elsewhere(until, pinned=pinned)

    def _goes_on(self, reason: str) -> None:
        self._run.go_on_elsewhere(reason)
        self._guard.begin_to_count()

    async def _hold(self) -> str:
        """Let an effect begin; or say why not, as when the run waits for its return by now."""
        journal = self._run.journal
        if journal.closed:
            return "the run is put aside"
        try:
            if not journal.held:
                await journal.hold()
        except StoreError as error:
            return error.message
        if self._run.waiting:
            self._waits = None
            self._goes_on("activity")
        return ""

    def _printed(self, kind: EventType, line: str) -> None:
        if self._run.journal.failed is None:
            self._run.emit_from_anywhere(kind, "", {"line": line})

    # --- how it ends ------------------------------------------------------------------

    def _result(self, outcome: Outcome) -> Payload:
        if isinstance(outcome, Done):
            return unpack(outcome.result)
        if isinstance(outcome, Stopped):
            raise asyncio.CancelledError
        error = unpack_error(outcome.error)
        if self._run.journal.failed is not None:
            raise self._run.journal.failed
        if error.code == MemoryError.__name__ and self._limits.memory_bytes is not None:
            self.usable = False  # what is left of its memory is in pieces
            raise WorkerLost(Cause.MEMORY, self._limits, node=error.node)
        if outcome.broken:
            raise error.to_exception()
        raise Failure(error)

    async def _lost(self, detail: str = "") -> WorkerLost:
        """Why the worker is gone, when it is."""
        code = await self._worker.ended_within(EXIT_SECONDS)
        await self._worker.finish_output()
        return WorkerLost(
            self._guard.cause or Cause.KILLED,
            self._limits,
            node=next(iter(self._at_work)) if len(self._at_work) == 1 else "",
            exit_code=code,
            detail=detail or self._worker.stderr.last,
        )
