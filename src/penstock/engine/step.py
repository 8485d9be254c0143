"""Steps: functions that a Python flow calls, and the policies they run under."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, overload

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.policies import Retry
from penstock.core.problems import suggest
from penstock.engine.context import StepContext
from penstock.engine.firing import Work

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A function with the policies it runs under as a step. It stays callable."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str = "",
        retry: Retry | None = None,
        timeout: Duration | None = None,
        blocking: bool | None = None,
    ) -> None:
        self.function = function
        self.name = name or _name_of(function)
        self.is_async = inspect.iscoroutinefunction(function)
        self.blocking = not self.is_async if blocking is None else blocking
        self.work = Work("step", retry=retry, timeout=timeout)
        self.context = _context_parameter(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def with_context(
        self, context: StepContext, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A caller's arguments, and the context where the function's signature wants it."""
        place = self._context_place
        if place is None or place > len(args):
            return args, {**kwargs, self.context: context}
        return (*args[:place], context, *args[place:]), dict(kwargs)

    def with_edited(
        self, edited: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call, with others for some of its parameters. Raises NodeError."""
        signature = inspect.signature(self.function)
        unknown = sorted(edited.keys() - signature.parameters.keys())
        if unknown:
            raise NodeError(
                f"`{self.name}` has no parameter `{unknown[0]}`",
                code="retry.input",
                remedy=suggest(unknown[0], signature.parameters),
            )
        bound = signature.bind(*args, **kwargs)
        bound.arguments.update(edited)
        return bound.args, bound.kwargs

    @functools.cached_property
    def _context_place(self) -> int | None:
        """Which positional parameter the context is, from 0; None when it goes by name alone."""
        parameter = inspect.signature(self.function).parameters[self.context]
        if parameter.kind is parameter.KEYWORD_ONLY:
            return None
        return list(inspect.signature(self.function).parameters).index(self.context)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    *,
    name: str = "",
    retry: Retry | int | None = None,
    timeout: Duration | float | str | None = None,
    blocking: bool | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    retry: Retry | int | None = None,
    timeout: Duration | float | str | None = None,
    blocking: bool | None = None,
) -> Any:
    """Say how a function runs as a step.

    retry: attempts in all, or a `Retry`. timeout: for each attempt. blocking: a plain
    function gets a thread of its own, so that it may wait; False runs it in the loop.
    """

    def wrap(wrapped: Callable[..., Any]) -> Step[..., Any]:
        policy = Retry(attempts=retry) if isinstance(retry, int) else retry
        limit = None if timeout is None else Duration.parse(timeout)
        declared = Step(wrapped, name=name, retry=policy, timeout=limit, blocking=blocking)
        functools.update_wrapper(declared, wrapped)
        return declared

    return wrap if function is None else wrap(function)


def _context_parameter(function: Callable[..., Any]) -> str:
    """The parameter that is hinted as `StepContext`, or nothing."""
    hints: Mapping[str, Any] = getattr(function, "__annotations__", {})
    for name, hint in hints.items():
        if hint is StepContext or (isinstance(hint, str) and hint.rpartition(".")[2] == "StepContext"):
            return name
    return ""


def _name_of(function: Callable[..., Any]) -> str:
    """What a function is called; a partial is called as what it wraps."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "step" if name == "<lambda>" else name
