"""The guard of a worker: ends it when its run takes more than it may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from penstock.executors.subprocess.loss import Cause
from penstock.executors.subprocess.memory import resident_bytes

if TYPE_CHECKING:
    from penstock.core.clock import Clock, Timer
    from penstock.core.policies import WorkerLimits
    from penstock.executors.subprocess.process import WorkerProcess

LOOK_SECONDS: Final = 0.05
"""How often it is looked at how much memory a worker has."""


class Guard:
    """Watches one worker while it has a run. cause: why it was ended, if it was."""

    def __init__(self, worker: WorkerProcess, limits: WorkerLimits, clock: Clock) -> None:
        self._worker = worker
        self._limits = limits
        self._clock = clock
        self._timer: Timer | None = None
        self.cause: Cause | None = None

    def begin_to_count(self) -> None:
        """From now on the run keeps the worker busy."""
        limit = self._limits.timeout
        if limit is not None and self._timer is None:
            end = lambda: self.end(Cause.TIMEOUT)  # noqa: E731
            self._timer = self._clock.call_later(limit.total_seconds(), end)

    def stop_counting(self) -> None:
        """The run only waits, or is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def watch_memory(self) -> None:
        """End the worker when it has more memory than it may; return when there is nothing to watch."""
        limit = self._limits.memory_bytes
        while limit is not None:
            size_bytes = resident_bytes(self._worker.pid)
            if size_bytes is None:
                return
            if size_bytes > limit:
                self.end(Cause.MEMORY)
                return
            await asyncio.sleep(LOOK_SECONDS)

    def end(self, cause: Cause) -> None:
        """End the worker. The first cause is the one that counts."""
        self.cause = self.cause or cause
        self._worker.kill()
