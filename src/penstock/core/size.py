"""Sizes as people write them: `512MiB`, `1.5GB`, `64k`, or a number of bytes."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "t": 2**40,
}
_SIZE: Final = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)
_LARGEST: Final = 2**60

FORMS: Final = "512MiB, 2GiB, 500MB or a number of bytes"
"""What to write, for people."""


def parse_size(value: object) -> int:
    """Bytes. A single letter is a power of 1024, as systemd reads it.

    Raises ValueError, with the forms allowed, on anything else.
    """
    size = _bytes(value)
    if size is None or not 0 < size <= _LARGEST:
        raise ValueError(f"`{value!s:.60}` is not a size; write {FORMS}")
    return size


def _bytes(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    unit = _UNITS.get(found[2].lower() or "b") if found else None
    return None if found is None or unit is None else round(float(found[1]) * unit)


def format_size(size_bytes: int) -> str:
    """A short form for people: `512 MiB`, `1.5 GiB`, `900 bytes`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= size:
            return f"{size_bytes / size:.4g} {unit}"
    return f"{size_bytes} bytes"
