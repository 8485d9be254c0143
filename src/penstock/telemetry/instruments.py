"""Instruments: numbers in plain Python, read when somebody asks for them.

A request costs a few additions here. What Prometheus makes of them is worked out at scrape
time, by `exposition`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

Labels = tuple[str, ...]

MOST: Final = 1000
"""So many sets of label values one family may have; what comes after them counts as `other`."""

OTHER: Final = "other"

QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds in seconds for what somebody waits for."""

LONG: Final = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
"""Bounds in seconds for what may take days."""


class Histogram:
    """How long things took: counts by upper bound, the last one without, and the sum."""

    __slots__ = ("bounds", "counts", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)

    def joined(self, instant: int, seconds: float) -> Histogram:
        """With so many more below the lowest bound, which took so many seconds in all."""
        whole = Histogram(self.bounds)
        whole.counts = [self.counts[0] + instant, *self.counts[1:]]
        whole.seconds = self.seconds + seconds
        return whole


class Counts(dict[Labels, float]):
    """Numbers by label values, never more than `MOST` of them."""

    def add(self, *labels: str, amount: float = 1) -> None:
        if labels in self:
            self[labels] += amount
        else:
            kept = bounded(self, labels)
            self[kept] = self.get(kept, 0) + amount


class Durations(dict[Labels, Histogram]):
    """Histograms by label values, never more than `MOST` of them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self._bounds = bounds

    def add(self, seconds: float, *labels: str) -> None:
        found = self.get(labels)
        if found is None:
            found = self.setdefault(bounded(self, labels), Histogram(self._bounds))
        found.add(seconds)


def bounded(known: Mapping[Labels, object], labels: Labels) -> Labels:
    """These labels, or where there are too many already, `other` for all of them."""
    return labels if len(known) < MOST or labels in known else (OTHER,) * len(labels)


class Family(msgspec.Struct, frozen=True):
    """One metric. name: as it is written, for a counter with `_total`. read: its values now."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels
    read: Callable[[], Mapping[Labels, float | Histogram]]
