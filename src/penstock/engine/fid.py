"""Ids of runs: short, and sorted by the time they were made."""

from __future__ import annotations

import secrets
from typing import Final

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: no letter that reads like a digit."""

_TIME_DIGITS: Final = 9
_CHANCE_DIGITS: Final = 11


def new_fid(now: float) -> str:
    """20 characters: 45 bits of milliseconds, then 55 bits of chance."""
    number = (int(now * 1000) << (5 * _CHANCE_DIGITS)) | secrets.randbits(5 * _CHANCE_DIGITS)
    digits = [_DIGITS[(number >> (5 * place)) & 31] for place in range(_TIME_DIGITS + _CHANCE_DIGITS)]
    return "".join(reversed(digits))
