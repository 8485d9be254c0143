"""Runs that only wait, out of memory but for a deadline each.

Those that wait for people alone have none: infinity.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.core.clock import Clock, Timer

LONGEST_SECONDS: Final = 3600.0
"""A timer is never set for longer, so that a clock that was put forward is noticed."""


class Sleepers:
    """A heap of deadlines in epoch seconds; `wake` is called with each run that is due."""

    def __init__(self, clock: Clock, wake: Callable[[str], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._heap: list[tuple[float, str]] = []
        self._until: dict[str, float] = {}
        self._timer: Timer | None = None
        self._timer_at = float("inf")

    def __contains__(self, fid: str) -> bool:
        return fid in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, fid: str, until: float) -> None:
        """Wake this run at `until`."""
        self._until[fid] = until
        if until == math.inf:
            return
        heapq.heappush(self._heap, (until, fid))
        self._arm()

    def discard(self, fid: str) -> bool:
        """Forget a run; whether it was there. Its entry in the heap is passed over later."""
        return self._until.pop(fid, None) is not None

    def clear(self) -> list[str]:
        """Forget all runs; which ones."""
        fids = list(self._until)
        self._heap.clear()
        self._until.clear()
        return fids

    def close(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.clear()

    def _arm(self) -> None:
        if not self._heap:
            return
        until = self._heap[0][0]
        if self._timer is not None:
            if self._timer_at <= until:
                return
            self._timer.cancel()
        wait = min(max(until - self._clock.now(), 0.0), LONGEST_SECONDS)
        self._timer_at = until
        self._timer = self._clock.call_later(wait, self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            until, fid = heapq.heappop(self._heap)
            if self._until.get(fid) == until:
                del self._until[fid]
                self._wake(fid)
        self._arm()
