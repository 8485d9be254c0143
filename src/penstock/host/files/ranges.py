"""Ranges of bytes that a client asks for (RFC 9110, 14)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_UNIT: Final = re.compile(r"\s*bytes\s*=(?P<ranges>.*)", re.IGNORECASE | re.DOTALL)
_RANGE: Final = re.compile(r"(?P<first>\d{0,20})-(?P<last>\d{0,20})", re.ASCII)
_MOST: Final = 16
"""Who asks for more pieces of a file gets all of it."""


class Range(NamedTuple):
    """The bytes from `start` up to `end`, which is not among them."""

    start: int
    end: int


class Unsatisfiable(ValueError):
    """None of the ranges has any byte of the file."""


def read_ranges(header: str, size: int) -> list[Range]:
    """The ranges of a header in a file of this size, in order, none of which meets another.

    None at all where the header is to be left out of account, since it is in another unit,
    malformed, or asks for too much. Raises Unsatisfiable.
    """
    found = _UNIT.fullmatch(header)
    texts = [text.strip(" \t") for text in found["ranges"].split(",")] if found else []
    pairs = [_RANGE.fullmatch(text) for text in texts if text]
    if not pairs or len(pairs) > _MOST:
        return []
    ranges = []
    for pair in pairs:
        if pair is None or pair[0] == "-" or _is_backwards(pair["first"], pair["last"]):
            return []
        wanted = _range(pair["first"], pair["last"], size)
        if wanted.start < wanted.end:
            ranges.append(wanted)
    if not ranges:
        raise Unsatisfiable
    return _joined(sorted(ranges))


def _is_backwards(first: str, last: str) -> bool:
    return first != "" and last != "" and int(last) < int(first)


def _range(first: str, last: str, size: int) -> Range:
    if not first:  # the last so many bytes
        return Range(max(size - int(last), 0), size)
    return Range(int(first), min(int(last) + 1, size) if last else size)


def _joined(ranges: list[Range]) -> list[Range]:
    joined = ranges[:1]
    for each in ranges[1:]:
        if each.start <= joined[-1].end:
            joined[-1] = Range(joined[-1].start, max(joined[-1].end, each.end))
        else:
            joined.append(each)
    return joined
