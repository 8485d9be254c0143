"""A trigger's context without a runtime, and the record that several of them may share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from penstock.core.errors import StoreError
from penstock.engine.kind import Trigger
from penstock.testing.clock import FakeClock


class Record:
    """What is recorded for ticks, by any runtime. refuses: how many times it still cannot be reached."""

    def __init__(self, *ticks: float) -> None:
        self.ticks = set(ticks)
        self.refuses = 0

    def answer(self) -> None:
        if self.refuses:
            self.refuses -= 1
            raise StoreError("the database is away")


class FakeTriggerContext:
    """What a trigger may ask of the runtime, with all that it did kept for the test.

    response: what a started process answers or raises. recording: what a run waits for before
    it is on disk.
    """

    node = "trigger"
    namespace = "default"

    def __init__(
        self,
        clock: FakeClock,
        *,
        record: Record | None = None,
        response: Callable[[Any], Awaitable[Any]] | None = None,
    ) -> None:
        self.clock = clock
        self.record = record or Record()
        self.response = response
        self.recording: asyncio.Event | None = None
        self.started: list[Any] = []
        self.warnings: list[str] = []
        self.running = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self._more = asyncio.Event()

    def linked(self, port: str) -> bool:
        return port == "out"

    def active(self, port: str) -> int:
        return self.running

    async def start(self, port: str, payload: Any) -> Any:
        self._keep(payload)
        self.running += 1
        try:
            return await self.response(payload) if self.response else None
        finally:
            self.running -= 1

    async def start_once(self, port: str, payload: Any, *, at: float) -> bool:
        self.record.answer()
        if self.recording is not None:
            await self.recording.wait()
        if at in self.record.ticks:
            return False
        self.record.ticks.add(at)
        self._keep(payload)
        return True

    async def submit(self, port: str, payload: Any, *, key: str = "") -> bool:
        self.record.answer()
        if self.recording is not None:
            await self.recording.wait()
        self._keep(payload)
        return True

    async def last(self, port: str) -> float | None:
        self.record.answer()
        return max(self.record.ticks, default=None)

    def own(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        self.tasks.append(asyncio.create_task(work, name=name))
        return self.tasks[-1]

    def warn(self, message: str, **fields: Any) -> None:
        self.warnings.append(message)
        self._more.set()

    def _keep(self, payload: Any) -> None:
        self.started.append(payload)
        self._more.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what was started or warned of, 5 real seconds at most."""
        async with asyncio.timeout(5):
            while not holds():
                self._more.clear()
                await self._more.wait()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def stop(trigger: Trigger) -> None:
    """Have a trigger start nothing more, and wait for what it started."""
    await trigger.close()
    await trigger.drained()


async def close(trigger: Trigger, ctx: FakeTriggerContext) -> None:
    """End a trigger as the runtime does."""
    await stop(trigger)
    await ctx.end()
    await trigger.unload()
