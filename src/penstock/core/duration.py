"""Durations as people write them: `1.5s`, `2d`, `1h30m`, `PT5M`, or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|µs|ms|sec|s|min|m|h|d|w)\s*")
_ISO: Final = re.compile(
    r"P(?:(?P<w>\d+(?:\.\d+)?)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)


class Duration(timedelta):
    """A length of time, never negative. `Duration.parse` reads every form above."""

    @classmethod
    def parse(cls, value: object) -> Duration:
        """Read a duration. Raises ValueError, with the forms allowed, on anything else."""
        if isinstance(value, Duration):
            return value
        seconds = _seconds(value)
        if seconds is None or not 0 <= seconds < 1e11:
            raise ValueError(
                f"`{value!s:.60}` is not a duration; write 500ms, 30s, 5m, 2h, 3d, 1h30m or PT5M"
            )
        return cls(seconds=seconds)

    @property
    def seconds_float(self) -> float:
        return self.total_seconds()

    def __str__(self) -> str:
        return format_seconds(self.total_seconds())


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if value < 1e300 else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    iso = _ISO.fullmatch(text)
    if iso is not None and any(iso.groupdict().values()):
        return sum(float(amount) * _UNITS[unit] for unit, amount in iso.groupdict().items() if amount)
    total, position = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != position:
            return None
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    return total if text and position == len(text) else None


def format_seconds(seconds: float) -> str:
    """A short form for people: `180ms`, `2.5s`, `1h30m`, `3d`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    parts, rest = [], round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])
