"""Differences: where one payload is not what another one says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from penstock.core.payload import Error, Payload, to_json

_WIDEST: Final = 100
"""Characters of a value that are shown."""


def differences(expected: Payload, found: Payload, *, partial: bool = False) -> list[str]:
    """One line for each place at which they differ; none when they are equal.

    An `Error` compares as a mapping of its fields. A whole number equals the same number with
    a fraction of zero, and true is no number. partial: mappings may have more keys than expected.
    """
    return list(_walk(expected, found, "", partial=partial))


def shown(payload: Payload) -> str:
    """A payload as JSON, cut where it gets long."""
    text = to_json(payload).decode()
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _walk(expected: Payload, found: Payload, place: str, *, partial: bool) -> Iterator[str]:
    expected, found = _plain(expected), _plain(found)
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected and not partial)]:
            inner = f"{place}.{key}" if place else str(key)
            if key not in found:
                yield f"{_named(inner)}: expected {shown(expected[key])}, and it is missing"
            elif key not in expected:
                yield f"{_named(inner)}: not expected, found {shown(found[key])}"
            else:
                yield from _walk(expected[key], found[key], inner, partial=partial)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{_named(place)}: expected {_items(expected)}, found {_items(found)}"
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from _walk(one, other, f"{place}[{number}]", partial=partial)
    elif not _equal(expected, found):
        yield f"{_named(place)}: expected {shown(expected)}, found {shown(found)}"


def _plain(payload: Payload) -> Payload:
    return payload.to_mapping() if type(payload) is Error else payload


def _equal(expected: Payload, found: Payload) -> bool:
    numbers = int | float
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, numbers) and isinstance(found, numbers):
        return expected == found
    return type(expected) is type(found) and bool(expected == found)


def _named(place: str) -> str:
    return f"`{place}`" if place else "the answer"


def _items(items: list[Payload]) -> str:
    return "1 item" if len(items) == 1 else f"{len(items)} items"
