"""Ids of runs: short, and sorted by the time they were made."""

from __future__ import annotations

import secrets
from typing import Final

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: no letter that reads like a digit."""

_PAIRS: Final = [first + second for first in _DIGITS for second in _DIGITS]
_SHIFTS: Final = range(90, -1, -10)
_CHANCE_BITS: Final = 55


def new_fid(now: float) -> str:
    """20 characters: 45 bits of milliseconds, then 55 bits of chance."""
    number = (int(now * 1000) << _CHANCE_BITS) | secrets.randbits(_CHANCE_BITS)
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
