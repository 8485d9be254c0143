"""Whether a command printed what its page shows."""

from __future__ import annotations

import re
from typing import Final

_VARYING: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?"), "<at>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<at>"),
    (re.compile(r"\b\d[0-9a-z]{19}\b"), "<fid>"),
    (re.compile(r'("duration_ms": ?)\d+(\.\d+)?'), r"\1<time>"),
    (re.compile(r"\b\d+(\.\d+)?(e[+-]?\d+)?(µs|ms|s|m|h)\b"), "<time>"),
    (re.compile(r"^ +\d+\.\d{3}(?=  )", re.MULTILINE), "<time>"),
    (re.compile(r"[─━╺╸]+"), "─"),
    (re.compile(r"^ +(?=[┌│└▼─])", re.MULTILINE), ""),
    (re.compile(r"(?<=\S) {2,}"), " "),
)
"""What differs from run to run, and what stands for it."""


def matches(expected: str, actual: str) -> bool:
    """Whether `actual` is what a page shows, `…` and varying parts aside."""
    lines = [_pattern(line) for line in _settle(expected).splitlines()]
    return re.fullmatch("".join(lines), _settle(actual)) is not None


def _settle(text: str) -> str:
    for pattern, stands_for in _VARYING:
        text = pattern.sub(stands_for, text)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*"
    return ".*?".join(re.escape(part) for part in line.split("…")) + r"\n"
