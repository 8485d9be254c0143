"""A measured figure, and how a run's figures are shown and kept."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

RESULTS: Final = Path(__file__).parent / "results"


class Figure(msgspec.Struct, kw_only=True):
    """One line of the table.

    ratio: value ÷ baseline. limit: what the figure should not pass, in its own unit, or as
    a ratio when `of_baseline`. more: whether more is better.
    """

    name: str
    value: float
    unit: str
    baseline: str = ""
    baseline_value: float | None = None
    limit: float | None = None
    of_baseline: bool = False
    more: bool = False

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline_value if self.baseline_value else None

    @property
    def holds(self) -> bool | None:
        measured = self.ratio if self.of_baseline else self.value
        if self.limit is None or measured is None:
            return None
        return measured >= self.limit if self.more else measured <= self.limit

    def row(self) -> list[str]:
        ratio = f"{self.ratio:.2f} ×" if self.ratio is not None else ""
        base = f"{self.baseline_value:,.4g} {self.unit}" if self.baseline_value is not None else ""
        sign = "≥" if self.more else "≤"
        limit = (
            f"{sign} {self.limit:,g}{' ×' if self.of_baseline else ' ' + self.unit}"
            if self.limit
            else ""
        )
        verdict = {None: "", True: "holds", False: "SHORT"}[self.holds]
        return [self.name, f"{self.value:,.4g} {self.unit}", self.baseline, base, ratio, limit, verdict]


_HEADS: Final = ["figure", "measured", "baseline", "its figure", "ratio", "target", ""]


def table(figures: Sequence[Figure]) -> str:
    """The figures as text, one row each."""
    rows = [_HEADS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:]))


def keep(figures: Sequence[Figure], loop: str) -> Path:
    """Write the run's figures to one JSON file, with what they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": sys.version.split()[0],
        "loop": loop,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "figures": [
            {**msgspec.to_builtins(figure), "ratio": figure.ratio, "holds": figure.holds}
            for figure in figures
        ],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
