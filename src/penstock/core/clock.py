"""What the engine knows about time and chance, so that a test can be their master."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that has not happened yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """A source of time and chance.

    `now` is epoch seconds, for what is recorded and must survive a restart; `monotonic`
    measures durations in seconds; `chance` is uniform in [0, 1), for jitter;
    `call_later` calls back on the running event loop after so many seconds.
    """

    def now(self) -> float: ...

    def monotonic(self) -> float: ...

    def chance(self) -> float: ...

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer: ...
