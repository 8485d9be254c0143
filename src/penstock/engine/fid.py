"""Ids of runs: short, and sorted by the time they were made."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: no letter that reads like a digit."""

_PAIRS: Final = [first + second for first in _DIGITS for second in _DIGITS]
_SHIFTS: Final = range(90, -1, -10)
_CHANCE_BITS: Final = 55


def new_fid(now: float) -> str:
    """20 characters: 45 bits of milliseconds, then 55 bits of chance."""
    return _fid(int(now * 1000), secrets.randbits(_CHANCE_BITS))


def fid_at(time: float, what: str) -> str:
    """The id of the one run of `what` at a time (epoch seconds): the same wherever it is asked for."""
    digest = hashlib.blake2b(f"{what}@{time:.3f}".encode(), digest_size=8).digest()
    return _fid(round(time * 1000), int.from_bytes(digest) >> (64 - _CHANCE_BITS))


def time_of(fid: str) -> float:
    """When a run was made, in epoch seconds, to the millisecond."""
    milliseconds = 0
    for digit in fid[:9]:
        milliseconds = milliseconds << 5 | _DIGITS.index(digit)
    return milliseconds / 1000


def _fid(milliseconds: int, chance: int) -> str:
    number = (milliseconds << _CHANCE_BITS) | chance
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
