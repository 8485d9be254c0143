"""What a client would like to get: its header Accept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_Q: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def preferred(accept: str, offers: tuple[str, ...]) -> str | None:
    """The media type of `offers` that the client likes best, or None when it wants none of them.

    offers: in our own order, which decides between those that the client likes alike. A range
    that cannot be read is passed over; a client that names none takes anything (RFC 9110, 12.5.1).
    """
    # Clients say the same again and again; a long one is not worth the memory.
    return (_remembered if len(accept) <= 200 else _chosen)(accept, offers)


def _chosen(accept: str, offers: tuple[str, ...]) -> str | None:
    ranges = _ranges(accept)
    if not ranges:
        return offers[0]
    best, liking = None, 0.0
    for offer in offers:
        quality = _quality(offer, ranges)
        if quality > liking:
            best, liking = offer, quality
    return best


_remembered = lru_cache(maxsize=256)(_chosen)


def _ranges(accept: str) -> list[tuple[str, float]]:
    """Media ranges in lower case, with their quality from 0 to 1."""
    found: list[tuple[str, float]] = []
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        kind, slash, subtype = name.partition("/")
        if not slash or not kind or not subtype or (kind == "*" and subtype != "*"):
            continue
        weight = next((text[2:].strip() for text in parameters if text.startswith("q=")), "1")
        if _Q.fullmatch(weight):
            found.append((name, float(weight)))
    return found


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """What the most particular range that covers the offer says about it."""
    kind = offer.partition("/")[0]
    for name in (offer, f"{kind}/*", "*/*"):
        said = [quality for known, quality in ranges if known == name]
        if said:
            return max(said)
    return 0.0
