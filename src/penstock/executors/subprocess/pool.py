"""The pool: executes runs in worker processes, so many at a time.

Most commands make one and few start a worker, so what workers need is imported with the first.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from penstock.core.errors import SettingsError
from penstock.core.events import EventType
from penstock.core.payload import Error, Payload, encode
from penstock.core.policies import WorkerLimits
from penstock.engine.firing import Failure
from penstock.executors.subprocess.environment import clean_environment
from penstock.executors.subprocess.line import Line
from penstock.executors.subprocess.loss import WorkerLost

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.engine.described import DescribedFlow
    from penstock.engine.executor import Kept
    from penstock.engine.flow import Flow
    from penstock.engine.live import LiveRun
    from penstock.executors.subprocess.process import WorkerProcess
    from penstock.executors.subprocess.staff import Staff

PATIENCE_SECONDS: Final = 1.0
"""A run that is in the line for less is not worth two events that say so."""

IMPORT_SECONDS: Final = 60.0
"""How long loading a flow may take that is to be described."""

_NOBODYS: Final = "?"
"""The revision of a worker that nobody may have again."""

LOST: Final = "lost"
"""In `run.resumed`: how many workers the run has lost so far."""


class Pool:
    """The executor `subprocess`. Nothing is started before the first run.

        async with Runtime(store, executors={"subprocess": Pool(workers=4)}) as runtime: …

    workers: how many runs are executed at a time; one for each processor without it. limits: of
    flows that set none. spare: workers that are started ahead of need. most_runs: after so many
    runs a worker is replaced. idle_seconds: after so long without work one ends. grace: seconds
    that a run which is cancelled or put aside has for cleaning up, before its worker is killed.
    kinds: modules or files with more kinds. environ: names of variables that workers see beside
    the usual ones.
    """

    name = "subprocess"

    def __init__(
        self,
        *,
        workers: int | None = None,
        limits: WorkerLimits | None = None,
        spare: int = 1,
        most_runs: int = 1000,
        idle_seconds: float = 60.0,
        grace: float = 10.0,
        kinds: Sequence[str] = (),
        environ: Iterable[str] = (),
    ) -> None:
        if workers is not None and workers < 1:
            raise SettingsError(f"{workers} workers execute nothing", remedy="let there be at least one")
        self.size = workers or usable_cores()
        self.limits = limits or WorkerLimits()
        self._spare = spare
        self._most_runs = most_runs
        self._idle_seconds = idle_seconds
        self._grace = grace
        self._kinds = tuple(kinds)
        self._environ = tuple(environ)
        self._open: tuple[Line, Staff] | None = None

    # --- as an executor -------------------------------------------------------------

    async def execute(
        self, flow: Flow, run: LiveRun, inputs: Mapping[str, Payload], *, kept: Kept
    ) -> Payload:
        """Bring a run to its result in a worker, in another one where it loses that; see `Executor`."""
        limits = _joined(flow.settings.worker, self.limits)
        while True:
            history = await kept.history()
            try:
                return await self._execute(flow, run, inputs, kept, history, limits)
            except WorkerLost as loss:
                lost = 1 + sum(_loses(event) for event in history)
                if run.journal.silent or lost > (limits.retries or 0):
                    raise Failure(loss.error, loss) from loss
                run.go_on_elsewhere("worker")
                facts = {"reason": "worker", LOST: lost, "error": loss.error}
                run.journal.emit(EventType.RUN_RESUMED, "", facts)

    async def close(self) -> None:
        if self._open is not None:
            await self._open[1].close()
            self._open = None

    # --- workers --------------------------------------------------------------------

    @property
    def workers(self) -> list[WorkerProcess]:
        """The worker processes that live now."""
        return [] if self._open is None else self._open[1].workers

    async def describe(
        self, reference: str, *, name: str = "", every: bool = False
    ) -> list[DescribedFlow]:
        """The flow of a reference, or every one, as a `Loader` finds them; nothing is imported here.

        Their runs are executed by this executor. Raises SettingsError.
        """
        from penstock.executors.subprocess.messages import Describe

        line, staff = self._opened()
        async with line.place(reference):
            worker = await staff.hire(_NOBODYS)
            flows: list[DescribedFlow] = []
            try:
                worker.send(Describe(reference, name, every))
                flows = await self._described(worker, reference)
                return flows
            finally:
                # One that has loaded a single flow may as well execute it.
                revision = flows[0].revision if len(flows) == 1 else ""
                staff.give_back(worker, revision=revision, usable=bool(revision))

    async def _described(self, worker: WorkerProcess, reference: str) -> list[DescribedFlow]:
        from penstock.engine.described import DescribedFlow
        from penstock.executors.subprocess.channel import Garbled
        from penstock.executors.subprocess.facts import unpack
        from penstock.executors.subprocess.messages import Described, Refused

        try:
            async with asyncio.timeout(IMPORT_SECONDS):
                report = await worker.receive()
            if isinstance(report, Refused):
                raise SettingsError(report.message, remedy=report.remedy)
            if isinstance(report, Described):
                found = unpack(report.descriptions)
                return [DescribedFlow.of(each, executor=self.name) for each in found]
        except TimeoutError:
            raise SettingsError(
                f"importing `{reference}` took longer than {IMPORT_SECONDS:g} s",
                remedy="do at import what is quick, and the rest when a run begins",
            ) from None
        except (Garbled, ValueError) as error:
            raise SettingsError(f"importing `{reference}` gave nonsense: {error}") from error
        raise SettingsError(
            f"importing `{reference}` ended the worker that did it",
            remedy="put what it does behind `if __name__ == '__main__':`",
        )

    async def _execute(
        self,
        flow: Flow,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        kept: Kept,
        history: list[Event],
        limits: WorkerLimits,
    ) -> Payload:
        from penstock.executors.subprocess.assignment import Assignment
        from penstock.executors.subprocess.messages import Execute, pack_events

        line, staff = self._opened()
        async with self._place(line, flow, run):
            order = Execute(
                fid=run.fid,
                document=encode(flow.document()),
                values=encode(dict(await kept.values())),
                inputs=encode(dict(inputs)),
                history=pack_events(_as_left(history)),
                mark=b"\0penstock:" + os.urandom(8).hex().encode(),
                memory_bytes=limits.memory_bytes,
                files=str(run.folder.root),
            )
            try:
                worker = await staff.hire(flow.revision)
            except OSError as error:
                raise Failure(_no_worker(error), error) from error
            assignment = Assignment(order, run, worker, limits=limits, grace=self._grace)
            try:
                return await assignment.carry_out()
            finally:
                staff.give_back(worker, usable=assignment.usable)

    @asynccontextmanager
    async def _place(self, line: Line, flow: Flow, run: LiveRun) -> AsyncIterator[None]:
        """A place among the workers; a run that is in the line for long says that it waits."""
        timer = run.clock.call_later(PATIENCE_SECONDS, run.wait_in_line)
        try:
            async with line.place(flow.name):
                timer.cancel()
                run.go_on_elsewhere("worker")
                yield
        finally:
            timer.cancel()

    def _opened(self) -> tuple[Line, Staff]:
        if self._open is None:
            from penstock.executors.subprocess.staff import Staff

            staff = Staff(
                most=self.size,
                spare=self._spare,
                most_runs=self._most_runs,
                idle_seconds=self._idle_seconds,
                environment=clean_environment(os.environ, self._environ),
                kinds=self._kinds,
            )
            self._open = Line(self.size), staff
        return self._open


def usable_cores() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _no_worker(error: OSError) -> Error:
    return Error(
        code="worker.unavailable",
        message=f"no worker could be started: {error}",
        remedy="see whether the machine has processes and memory left, or let there be fewer `workers`",
    )


def _joined(own: WorkerLimits, default: WorkerLimits) -> WorkerLimits:
    """What a flow sets, and the defaults for the rest."""
    return WorkerLimits(
        memory_bytes=default.memory_bytes if own.memory_bytes is None else own.memory_bytes,
        timeout=default.timeout if own.timeout is None else own.timeout,
        retries=default.retries if own.retries is None else own.retries,
    )


def _loses(event: Event) -> bool:
    return event.type == EventType.RUN_RESUMED and LOST in event.data


def _as_left(history: list[Event]) -> list[Event]:
    """The stream without what was written since somebody last executed the run.

    A replay must see whether the run only waited then, so that nothing begins anew with it.
    """
    end = len(history)
    while end and _is_about_place(history[end - 1]):
        end -= 1
    return history[:end]


def _is_about_place(event: Event) -> bool:
    if event.type == EventType.RUN_WAITING:
        return "for" in event.data
    return event.type == EventType.RUN_RESUMED and "restart" not in event.data
