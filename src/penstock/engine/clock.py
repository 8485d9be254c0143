"""The clock of the world."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.core.clock import Timer


class SystemClock:
    """Time and chance as the machine gives them: core/clock.py's Clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.perf_counter()

    def chance(self) -> float:
        return random.random()  # noqa: S311 - spreads retries, keeps no secret

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)
