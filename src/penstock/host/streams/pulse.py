"""One timer for all streams in which nothing happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.core.clock import Clock, Timer

SLOTS: Final = 30


class Pulse:
    """Calls everybody back once in a while, a few at a time, so that no moment gets long.

    period_seconds: between two calls of the same one.
    """

    def __init__(self, clock: Clock, *, period_seconds: float = 15.0) -> None:
        self._clock = clock
        self._tick_seconds = period_seconds / SLOTS
        self._slots: deque[set[Callable[[], None]]] = deque(set() for _ in range(SLOTS))
        self._timer: Timer | None = None

    def join(self, beat: Callable[[], None]) -> Callable[[], None]:
        """Call this from now on; what is returned ends it. It does not begin at once."""
        slot = min(self._slots, key=len)
        slot.add(beat)
        if self._timer is None:
            self._wind()

        def leave() -> None:
            slot.discard(beat)
            if self._timer is not None and not any(self._slots):
                self._timer.cancel()
                self._timer = None

        return leave

    def _wind(self) -> None:
        self._timer = self._clock.call_later(self._tick_seconds, self._tick)

    def _tick(self) -> None:
        self._wind()
        for beat in tuple(self._slots[0]):
            beat()
        self._slots.rotate(-1)
