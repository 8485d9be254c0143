"""`time.interval`: a process in every period of time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, dropwhile

from penstock.core.duration import Duration
from penstock.engine.kind import FieldError, field
from penstock.kinds.schedule.scheduled import Scheduled


class Interval(Scheduled, kind="time.interval", aliases=("interval",)):
    """Start a process in every period of time.

    Ticks are aligned to the epoch: `every: 15m` ticks at a quarter past, at half past and so on,
    whenever it was loaded. So all runtimes of a store agree on them, and each tick is recorded
    as a run exactly once.

    Config: every (`500ms`, `30s`, `2h`, `1d`: at least 10ms).

    - immediate: true begins with the tick of the period that is under way, unless something was
      started for it. Otherwise the next tick is the first.
    - missed: what becomes of ticks that no runtime was there for. `skip` (the default) leaves
      them out, `once` makes up for the latest one, `all` for each, up to missed_limit (100).
      A tick that is less than 5 s late is not missed.
    - overlap: `allow` (the default), or `skip` to leave a tick out while the process of an
      earlier one still runs in this runtime.
    - durable: false records nothing: every runtime starts a process of its own for each tick
      that it is there for. drain (10s) is how long such processes may take when they have to end.

    Ports: out, called with a mapping: `time` (the tick, as ISO 8601 text), `timestamp` (the
    same in epoch seconds), `missed` (whether it was made up for).

    Errors: a process that fails goes to what hangs from `error`, or else to the log.

    Example:
        - {kind: time.interval, name: pulse, every: 30s, immediate: true, links: {out: look}}
        - {kind: snippet, name: look, language: cel, code: "'alive at ' + self.time"}
    """

    every: Duration
    period_us: int = field(init=False, default=0)

    def check(self) -> None:
        # Whole microseconds, so that every runtime computes the very same ticks.
        self.period_us = round(self.every.total_seconds() * 1_000_000)
        if self.period_us < 10_000:
            raise FieldError("every", f"`{self.every}` is too short; 10ms is the least")

    def describe(self) -> str:
        return f"every {self.every}"

    def after(self, moment: float) -> Iterator[float]:
        ticks = (self._tick(number) for number in count(self._number(moment)))
        return dropwhile(lambda tick: tick <= moment, ticks)

    def until(self, moment: float) -> Iterator[float]:
        ticks = (self._tick(number) for number in range(self._number(moment) + 1, -1, -1))
        return dropwhile(lambda tick: tick > moment, ticks)

    def _number(self, moment: float) -> int:
        """The tick at or next to a moment: which of both, rounding decides."""
        return int(moment * 1_000_000) // self.period_us

    def _tick(self, number: int) -> float:
        return number * self.period_us / 1_000_000
