"""The numbers that a document may hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DIGITS: Final = 100
"""Digits of the longest whole number. Reading one takes time in the square of its length."""


def whole(text: str, report: Callable[[str, str], None], *, base: int = 10) -> int:
    """The whole number that `text` spells; one too long is reported and reads as 0."""
    if len(text) > MOST_DIGITS:
        report(f"a whole number of {len(text)} digits is too long", "write it as text, in quotes")
        return 0
    return int(text, base)


def real(text: str, report: Callable[[str, str], None]) -> float:
    """The number that `text` spells; one without a finite value is reported and reads as 0."""
    value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if math.isfinite(value):
        return value
    report(f"`{text[:40]}` is no finite number", "write a finite number, or the text in quotes")
    return 0.0
