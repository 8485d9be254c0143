"""Reasons: why a candidate for a lock is not good enough."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One thing that is wrong with a candidate, for whoever made it.

    pointer: the place in the candidate as an RFC 6901 JSON Pointer (`/items/0/price`);
    empty for the candidate as a whole.
    """

    detail: str
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.pointer}: {self.detail}" if self.pointer else self.detail
