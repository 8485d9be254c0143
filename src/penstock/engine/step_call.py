"""Calls of steps: what a Python flow has performed when it calls a function as a step."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core.payload import Payload, normalise
from penstock.engine.capture import redirected
from penstock.engine.context import StepContext

if TYPE_CHECKING:
    from penstock.engine.live import LiveRun
    from penstock.engine.step import Step


class StepCall:
    """One call of a step, to be attempted: what it prints is told of the step.

    One object rather than a closure, which is a dozen: thousands of runs may each be in a step.
    """

    __slots__ = ("_args", "_kwargs", "_name", "_run", "_step")

    def __init__(
        self,
        run: LiveRun,
        step: Step[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self._run = run
        self._step = step
        self._name = name
        self._args = args
        self._kwargs = kwargs

    async def __call__(self, number: int) -> Payload:
        """The attempt of this number."""
        step, run, args, kwargs = self._step, self._run, self._args, self._kwargs
        context = StepContext(run, self._name, number)
        if step.context:
            args, kwargs = step.with_context(context, args, kwargs)
        if self._name in run.edited:
            args, kwargs = step.with_edited(run.edited[self._name], args, kwargs)
        with redirected(context.stdout, context.stderr):
            if step.is_async:
                value = await step.function(*args, **kwargs)
            elif step.blocking:
                value = await run.in_thread(functools.partial(step.function, *args, **kwargs))
            else:
                value = step.function(*args, **kwargs)
        return normalise(value)
