"""A conversation in progress: what it wants next, and what it came to."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from penstock.client.effects import Effect, Found, Items, Steps

T = TypeVar("T")


class Script(Generic[T]):
    """The steps of one call, taken one by one.

    wanted: the effect that the driver is to have, or the item that was found; None at the end,
    when `result` is what the steps returned. What they raise comes out of `answer` and `fail`.
    """

    __slots__ = ("_steps", "result", "wanted")

    def __init__(self, steps: Steps[T] | Items[T]) -> None:
        self._steps: Any = steps
        self.result: Any = None
        self.wanted: Effect | Found[T] | None = None
        self.answer(None)

    def answer(self, value: Any) -> None:
        """Go on with what came of the effect."""
        try:
            self.wanted = self._steps.send(value)
        except StopIteration as stop:
            self.wanted, self.result = None, stop.value

    def fail(self, error: Exception) -> None:
        """Go on with the error that it raised; steps that do not catch it raise it."""
        try:
            self.wanted = self._steps.throw(error)
        except StopIteration as stop:
            self.wanted, self.result = None, stop.value

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._steps.close()
