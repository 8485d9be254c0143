"""The clock of the real world."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable


class SystemClock:
    """Time as the machine tells it, and chance as it comes."""

    # The functions themselves: they are called several times for every event.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.perf_counter)
    chance = staticmethod(random.random)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """A timer of the running event loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)
