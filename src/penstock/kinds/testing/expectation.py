"""Expectations: what a payload has to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import MISSING
from penstock.engine.kind import FieldError
from penstock.kinds.languages.cel import Expression, Scope, needed_functions
from penstock.kinds.testing.difference import differences, shown

_MOST: Final = 20
"""Lines of differences that are told."""


class Expectation:
    """What a payload has to be: equal to a value, include one, and conditions have to hold.

    Raises FieldError for a condition that is broken.
    """

    def __init__(self, expect: Payload, include: Payload, that: str | Sequence[str]) -> None:
        self._expect = expect
        self._include = include
        self._conditions = [_condition(code) for code in ([that] if isinstance(that, str) else that)]
        self._functions = needed_functions(self._conditions)

    def __bool__(self) -> bool:
        """Whether anything is expected at all."""
        return self._expect is not MISSING or self._include is not MISSING or bool(self._conditions)

    def verify(self, payload: Payload, message: str = "") -> None:
        """Raise NodeError, with every difference, when the payload is not what is expected."""
        found = self._differences(payload)
        if not found:
            return
        told = [*found[:_MOST], *([f"and {len(found) - _MOST} more"] if len(found) > _MOST else [])]
        head = message or "the answer is not what was expected"
        raise NodeError(
            "\n".join([head, *(f"  {line}" for line in told)]),
            code="assertion",
            details={"differences": found, "found": payload},
        )

    def _differences(self, payload: Payload) -> list[str]:
        found: list[str] = []
        if self._expect is not MISSING:
            found += differences(self._expect, payload)
        if self._include is not MISSING:
            found += differences(self._include, payload, partial=True)
        return [*found, *self._unmet(payload)] if self._conditions else found

    def _unmet(self, payload: Payload) -> Iterator[str]:
        scope = Scope(payload, self._functions)
        for condition in self._conditions:
            try:
                if not condition.holds(scope):
                    yield f"`{condition.code}` does not hold: self is {shown(payload)}"
            except NodeError as error:
                yield error.message


def _condition(code: str) -> Expression:
    try:
        return Expression(code)
    except ValueError as error:
        raise FieldError("that", f"`{code}` is not a condition: {error}") from error
