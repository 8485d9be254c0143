"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PATIENCE_SECONDS = 5.0
"""How long `scheduled` waits in real time before it says that nothing came."""


class FakeClock:
    """core/clock.py's Clock under a test's control.

    now: epoch seconds at the start. chances: what `chance` gives, over and over.

        clock = FakeClock()
        run = await runtime.start(flow)          # has a delay of 3 days
        await clock.scheduled()
        clock.advance(3 * 86400)
        assert await run.result() == "done"
    """

    def __init__(self, now: float = 1_800_000_000.0, *, chances: Sequence[float] = (0.5,)) -> None:
        self._start = now
        self._elapsed = 0.0
        self._chances = tuple(chances)
        self._drawn = 0
        self._timers: list[_FakeTimer] = []
        self._made = 0
        self._more = asyncio.Event()

    def now(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def chance(self) -> float:
        drawn = self._chances[self._drawn % len(self._chances)]
        self._drawn += 1
        return drawn

    def call_later(self, seconds: float, callback: Callable[[], object]) -> _FakeTimer:
        self._made += 1
        timer = _FakeTimer(self._elapsed + max(0.0, seconds), self._made, callback)
        if seconds <= 0:  # due already: no time has to pass for it
            asyncio.get_running_loop().call_soon(timer.happen)
            return timer
        heapq.heappush(self._timers, timer)
        self._more.set()
        return timer

    @property
    def pending(self) -> list[float]:
        """Seconds until each timer that has not happened, the next one first."""
        return [timer.due - self._elapsed for timer in sorted(self._timers) if not timer.cancelled]

    def advance(self, seconds: float) -> None:
        """Let time pass. Due timers fire in order, each at its own time.

        Timers that a callback makes fire as well when they fall into the span. What the
        callbacks wake runs when the test next awaits.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards")
        end = self._elapsed + seconds
        while self._timers and self._timers[0].due <= end:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._elapsed = max(self._elapsed, timer.due)
                timer.happen()
        self._elapsed = end

    async def scheduled(self, count: int = 1) -> None:
        """Wait until so many timers are pending. Raises TimeoutError after 5 real seconds."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.pending) < count:
                self._more.clear()
                await self._more.wait()


class _FakeTimer:
    __slots__ = ("callback", "cancelled", "due", "order")

    def __init__(self, due: float, order: int, callback: Callable[[], object]) -> None:
        self.due = due
        self.order = order
        self.callback = callback
        self.cancelled = False

    def happen(self) -> None:
        if not self.cancelled:
            self.callback()

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: _FakeTimer) -> bool:
        return (self.due, self.order) < (other.due, other.order)
