"""The staff: worker processes that are at hand, and those that are started ahead of need."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from penstock.executors.subprocess.messages import Setup
from penstock.executors.subprocess.process import WorkerProcess

T = TypeVar("T")


class Staff:
    """Gives out workers, and takes them back.

    most: how many may be idle beside those at work, which are at most as many. spare: how many
    that have loaded nothing yet are kept ready. most_runs: after so many a worker is replaced.
    idle_seconds: after so long without work one is let go.
    """

    def __init__(
        self,
        *,
        most: int,
        spare: int,
        most_runs: int,
        idle_seconds: float,
        environment: Mapping[str, str],
        kinds: Sequence[str],
    ) -> None:
        self._most = most
        self._spare = spare
        self._most_runs = most_runs
        self._idle_seconds = idle_seconds
        self._environment = environment
        self._kinds = kinds
        self._idle: dict[WorkerProcess, asyncio.TimerHandle] = {}
        self._busy: set[WorkerProcess] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._starting = 0
        self._hired = 0
        self._closed = False

    @property
    def workers(self) -> list[WorkerProcess]:
        """All that live, at work or not."""
        return [*self._busy, *self._idle]

    async def hire(self, revision: str) -> WorkerProcess:
        """A worker for this revision of a flow: one that has loaded it, or else a new one."""
        worker = self._at_hand(revision) or self._at_hand("")
        if worker is None:
            worker = await self._start()
        if not worker.revision:
            worker.send(Setup(path=list(map(os.path.abspath, sys.path)), kinds=list(self._kinds)))
        worker.revision = revision
        self._hired += 1
        self._busy.add(worker)
        self._shrink()
        self._keep_spare()
        return worker

    def give_back(self, worker: WorkerProcess, *, revision: str = "", usable: bool) -> None:
        """Take a worker back. usable: it has done what it was told, and may do it again."""
        self._busy.discard(worker)
        worker.revision = revision or worker.revision
        if self._closed or not (usable and worker.alive) or worker.runs >= self._most_runs:
            self._own(worker.leave() if usable else worker.end(), "penstock:worker:leaves")
            return
        loop = asyncio.get_running_loop()
        self._idle[worker] = loop.call_later(self._idle_seconds, self._let_go, worker)
        self._shrink()

    async def close(self) -> None:
        """Let all go."""
        self._closed = True
        for worker in list(self._idle):
            self._let_go(worker)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _at_hand(self, revision: str) -> WorkerProcess | None:
        """The idle worker of a revision that worked last; an empty one means none yet."""
        for worker in reversed(self._idle):
            if worker.revision == revision:
                self._idle.pop(worker).cancel()
                if worker.alive:
                    return worker
                self._own(worker.end(), "penstock:worker:leaves")
                return self._at_hand(revision)
        return None

    def _let_go(self, worker: WorkerProcess) -> None:
        self._idle.pop(worker).cancel()
        self._own(worker.leave(), "penstock:worker:leaves")

    def _shrink(self) -> None:
        """Let those go that were idle longest, where there are more workers than there may be."""
        while self._idle and len(self._idle) + len(self._busy) > self._most:
            self._let_go(next(iter(self._idle)))

    def _keep_spare(self) -> None:
        """Start workers for those who come next, as long as there is room for them.

        The first run may be the only one, as that of `penstock run` is.
        """
        if self._hired < 2:
            return
        fresh = self._starting + sum(not worker.revision for worker in self._idle)
        room = self._most - len(self._busy) - len(self._idle) - self._starting
        for _ in range(min(self._spare - fresh, room)):
            self._starting += 1
            self._own(self._start_spare(), "penstock:worker:starts")

    async def _start_spare(self) -> None:
        try:
            worker = await self._start()
        except OSError:
            return  # whoever needs one will meet with the same, and say so
        finally:
            self._starting -= 1
        self.give_back(worker, usable=True)

    async def _start(self) -> WorkerProcess:
        """A new worker. Who is cancelled meanwhile leaves it to the next."""
        starting = self._own(
            WorkerProcess.start(environment=self._environment), "penstock:worker:starts"
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._unwanted)
            raise

    def _unwanted(self, starting: asyncio.Task[WorkerProcess]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self.give_back(starting.result(), usable=True)

    def _own(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
