"""A run in a worker, seen from the host: what the worker asks for is done here, as far as it may."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from penstock.core.errors import StoreError
from penstock.core.events import EventType
from penstock.core.payload import Payload, decode
from penstock.engine.firing import Failure
from penstock.executors.subprocess.channel import Garbled
from penstock.executors.subprocess.loss import Cause, WorkerLost
from penstock.executors.subprocess.memory import resident_bytes
from penstock.executors.subprocess.messages import (
    Answered,
    Commit,
    Done,
    Execute,
    Failed,
    Hold,
    Said,
    Stop,
    Stopped,
    Word,
    unpack_error,
    unpack_facts,
)

if TYPE_CHECKING:
    from penstock.core.clock import Timer
    from penstock.core.policies import WorkerLimits
    from penstock.engine.live import LiveRun
    from penstock.executors.subprocess.messages import Fact, Report
    from penstock.executors.subprocess.process import WorkerProcess

LOOK_SECONDS: Final = 0.05
"""How often it is looked at how much memory a worker has."""

EXIT_SECONDS: Final = 2.0
"""How long a worker that has hung up may take to end."""

_SUBJECTS: Final = ("node.", "child.", "lock.", "agent.")
"""What a worker may write of. That a run waits and goes on is asked of the run itself."""


class Assignment:
    """One run in one worker, until it is over or the worker is lost.

    grace: seconds that a worker has to stop in before it is killed.
    """

    def __init__(
        self, run: LiveRun, worker: WorkerProcess, *, limits: WorkerLimits, grace: float
    ) -> None:
        self._run = run
        self._worker = worker
        self._limits = limits
        self._grace = grace
        self._cause: Cause | None = None
        self._timer: Timer | None = None
        self._at_work: dict[str, None] = {}
        self.mark: Final = b"\0penstock:" + secrets.token_hex(8).encode()
        self.usable = False
        """Whether the worker has done what it was told, and may be given another run."""

    async def carry_out(self, order: Execute) -> Payload:
        """Have the run executed, and return its result. Raises Failure, StoreError, or WorkerLost."""
        run, worker = self._run, self._worker
        for output, kind in ((worker.stdout, EventType.NODE_STDOUT), (worker.stderr, EventType.NODE_STDERR)):
            output.follow(lambda line, kind=kind: self._printed(kind, line), self.mark)
        run.elsewhere = lambda text: worker.send(Word(text))
        worker.runs += 1
        worker.send(order)
        relaying = asyncio.create_task(self._relay(), name=f"penstock:worker:{run.fid}")
        watching = asyncio.create_task(self._watch(), name=f"penstock:watch:{run.fid}")
        self._begin_to_count()
        try:
            try:
                await asyncio.wait([relaying])
            except asyncio.CancelledError:
                await self._stop(relaying)
                raise
            return relaying.result()
        finally:
            run.elsewhere = None
            self._stop_counting()
            watching.cancel()
            await asyncio.gather(relaying, watching, return_exceptions=True)

    async def _stop(self, relaying: asyncio.Task[Payload]) -> None:
        """Have the worker stop, at the latest after the grace, or when the word comes twice."""
        self._stop_counting()
        self._worker.send(Stop())
        try:
            await asyncio.wait([relaying], timeout=self._grace)
        finally:
            if not relaying.done():
                self._worker.kill()
                await asyncio.wait([relaying])

    # --- what the worker says ---------------------------------------------------------

    async def _relay(self) -> Payload:
        """Do what the worker asks for until it has an outcome."""
        while True:
            try:
                report = await self._worker.receive()
                if report is None:
                    break
                outcome = await self._heed(report)
            except (Garbled, ValueError) as error:
                self._cause = self._cause or Cause.GARBLED
                self._worker.kill()
                raise await self._lost(str(error)) from error
            if outcome is not None:
                self.usable = True
                await self._finish_output()
                return self._outcome(outcome)
        raise await self._lost()

    async def _heed(self, report: Report) -> Done | Failed | Stopped | None:
        """Do what is asked for; an outcome is for the caller. Raises ValueError for what makes no sense."""
        match report:
            case Commit():
                await self._commit(report)
            case Hold():
                await self._hold(report)
            case Said():
                self._say(unpack_facts(report.facts))
            case Done() | Failed() | Stopped():
                return report
            case _:
                raise ValueError(f"a worker that executes a run said {type(report).__name__}")
        return None

    async def _commit(self, commit: Commit) -> None:
        facts = unpack_facts(commit.facts)
        refused = [type for type, _, _ in facts if not _allowed(type)]  # noqa: A001 - the field's word
        if refused:
            raise ValueError(f"a worker may not write `{refused[0]:.60}`")
        try:
            for kind, node, data in facts:
                self._take(kind, node, data, pinned=commit.pinned)
            await self._run.journal.durable()
        except StoreError as error:
            self._worker.send(Answered(commit.number, error.message))
        else:
            self._worker.send(Answered(commit.number))

    def _take(self, kind: str, node: str, data: dict[str, Payload], *, pinned: bool) -> None:
        """Make an event of a fact, and of what concerns the run as a whole what it means for the run."""
        run = self._run
        if kind == EventType.RUN_WAITING:
            self._stop_counting()
            until = data.get("until")
            run.wait_elsewhere(until if isinstance(until, float | int) else None, pinned=pinned)
        elif kind == EventType.RUN_RESUMED:
            self._goes_on(str(data.get("reason", "activity")))
        else:
            if kind == EventType.NODE_STARTED:
                self._at_work[node] = None
            elif kind in (EventType.NODE_COMPLETED, EventType.NODE_FAILED, EventType.NODE_RETRYING):
                self._at_work.pop(node, None)
            run.journal.emit(kind, node, data)

    def _goes_on(self, reason: str) -> None:
        self._run.go_on_elsewhere(reason)
        self._begin_to_count()

    async def _hold(self, hold: Hold) -> None:
        """Let an effect begin, unless the run is being put aside: then it waits for its return."""
        journal = self._run.journal
        try:
            if journal.closed:
                raise StoreError("the run is put aside")
            if not journal.held:
                await journal.hold()
            if self._run.waiting:
                self._goes_on("activity")
        except StoreError as error:
            self._worker.send(Answered(hold.number, error.message))
        else:
            self._worker.send(Answered(hold.number))

    def _say(self, facts: list[Fact]) -> None:
        """Tell the observer what a node of a run says that nobody records."""
        for kind, node, data in facts:
            if not _allowed(kind):
                raise ValueError(f"a worker may not say `{kind:.60}`")
            self._run.emit_from_anywhere(kind, node, data)

    def _printed(self, kind: EventType, line: str) -> None:
        journal = self._run.journal
        if journal.failed is None:
            self._run.emit_from_anywhere(kind, "", {"line": line})

    async def _finish_output(self) -> None:
        await self._worker.stdout.finish()
        await self._worker.stderr.finish()

    def _outcome(self, report: Done | Failed | Stopped) -> Payload:
        if isinstance(report, Done):
            return decode(report.result)
        if isinstance(report, Stopped):
            raise asyncio.CancelledError
        error = unpack_error(report.error)
        if self._run.journal.failed is not None:
            raise self._run.journal.failed
        if error.code == MemoryError.__name__ and self._limits.memory_bytes is not None:
            self.usable = False  # what is left of its memory is in pieces
            raise WorkerLost(Cause.MEMORY, self._limits, node=error.node)
        if report.broken:
            raise error.to_exception()
        raise Failure(error)

    # --- limits -----------------------------------------------------------------------

    def _begin_to_count(self) -> None:
        limit = self._limits.timeout
        if limit is not None and self._timer is None:
            self._timer = self._run.clock.call_later(limit.total_seconds(), self._expire)

    def _stop_counting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._cause = Cause.TIMEOUT
        self._worker.kill()

    async def _watch(self) -> None:
        """Kill the worker when it has more memory than it may."""
        limit = self._limits.memory_bytes
        while limit is not None:
            size_bytes = resident_bytes(self._worker.pid)
            if size_bytes is None:
                return
            if size_bytes > limit:
                self._cause = Cause.MEMORY
                self._worker.kill()
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _lost(self, detail: str = "") -> WorkerLost:
        """Why the worker is gone, when it is."""
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                code = await self._worker.exited()
        except TimeoutError:
            self._worker.kill()
            code = await self._worker.exited()
        await self._finish_output()
        node = next(iter(self._at_work)) if len(self._at_work) == 1 else ""
        return WorkerLost(
            self._cause or Cause.KILLED, self._limits, node=node, exit_code=code, detail=detail
        )


def _allowed(kind: str) -> bool:
    return kind.startswith(_SUBJECTS) or kind in (EventType.RUN_WAITING, EventType.RUN_RESUMED)

