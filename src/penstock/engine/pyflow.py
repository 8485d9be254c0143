"""Flows in plain Python: an async function whose steps are journaled.

The function runs again from its beginning on every replay, and each step that the journal
knows answers at once. So the function itself must be deterministic; whatever is not
(time, chance, the outside) belongs in a step.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import CodeType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from penstock.core.duration import Duration
from penstock.core.payload import Payload
from penstock.core.policies import OnError
from penstock.core.spec import DEFAULT_NAMESPACE, Settings
from penstock.core.store import INLINE
from penstock.document.policies import executor_of
from penstock.engine.docstrings import docstring_of
from penstock.engine.program import Program
from penstock.engine.signature import Signature
from penstock.engine.strand import Context

P = ParamSpec("P")
R = TypeVar("R")


class PythonFlow(Program, Generic[P, R]):
    """A flow made of an async function. Calling it calls the function."""

    source = "python"
    redactor = None

    def __init__(
        self,
        function: Callable[..., Coroutine[Any, Any, R]],
        *,
        name: str = "",
        author: str = "",
        tags: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.namespace = DEFAULT_NAMESPACE
        self.description = docstring_of(function).summary
        module = sys.modules.get(function.__module__)
        self.author = author or str(getattr(module, "__author__", ""))
        self.tags = tuple(tags)
        self.settings = settings or Settings()
        self.reference = f"{function.__module__}:{function.__qualname__}"
        code = getattr(inspect.unwrap(function), "__code__", None)  # what is written in C has none
        text = f"{self.name}\n{self.reference}\n{fingerprint(code) if code else ''}"
        self.revision = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        self.signature = self._sign()

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, R]:
        return self.function(*args, **kwargs)

    def _sign(self) -> Signature:
        return Signature(self.function, context_first=True)

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the function's parameters, the context left out."""
        return self.signature.input_schema

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of what the function returns, if its hint tells."""
        return self.signature.output_schema

    def document(self) -> dict[str, Any]:
        module = sys.modules.get(self.function.__module__)
        file = getattr(module, "__file__", None)
        return {"flow": self.name, "reference": self.reference, "file": file or ""}

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        return self.signature.accept(self.name, inputs)

    def call(self, context: Context, inputs: Mapping[str, Payload]) -> Awaitable[Any]:
        positional, named = self.signature.arguments(inputs)
        return self.function(context, *positional, **named)


class FunctionFlow(PythonFlow[P, R]):
    """A flow made of a function that knows nothing of flows: the call of it is the only step."""

    def _sign(self) -> Signature:
        return Signature(self.function, context_first=False)

    def document(self) -> dict[str, Any]:
        return super().document() | {"plain": True}

    def call(self, context: Context, inputs: Mapping[str, Payload]) -> Awaitable[Any]:
        positional, named = self.signature.arguments(inputs)
        return context.step(self.function, *positional, **named)


def flow_of_function(function: Callable[..., Any]) -> PythonFlow[..., Any]:
    """The flow that a function is when somebody names it as one."""
    if inspect.iscoroutinefunction(function) and Signature(function, context_first=False).wants_context:
        return PythonFlow(function)
    return FunctionFlow(function)


def fingerprint(code: CodeType) -> str:
    """What a function does, as far as its compiled form tells; the same in every process."""
    consts = [fingerprint(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return f"{code.co_code.hex()}{consts}{code.co_names}"


@overload
def flow(function: Callable[..., Coroutine[Any, Any, R]], /) -> PythonFlow[..., R]: ...


@overload
def flow(
    *,
    name: str = "",
    author: str = "",
    tags: Sequence[str] = (),
    timeout: Duration | float | str | None = None,
    on_error: OnError | None = None,
    executor: str | Mapping[str, Any] = INLINE,
) -> Callable[[Callable[..., Coroutine[Any, Any, R]]], PythonFlow[..., R]]: ...


def flow(
    function: Callable[..., Coroutine[Any, Any, Any]] | None = None,
    /,
    *,
    name: str = "",
    author: str = "",
    tags: Sequence[str] = (),
    timeout: Duration | float | str | None = None,
    on_error: OnError | None = None,
    executor: str | Mapping[str, Any] = INLINE,
) -> Any:
    """Make a durable flow of an async function whose first parameter is its context.

    The other parameters are the flow's inputs: their hints become JSON Schema, the docstring
    says what they are. timeout bounds the whole run. author, tags: shown with the flow; the
    author is otherwise its module's `__author__`. executor: where its runs are executed, as a
    document's `settings` say it: `"subprocess"`, or `{"kind": "subprocess", "memory": "512MiB"}`.
    """
    if isinstance(tags, str):
        raise TypeError(f"tags are a list: write tags=[{tags!r}]")

    def wrap(wrapped: Callable[..., Coroutine[Any, Any, Any]]) -> PythonFlow[..., Any]:
        if not inspect.iscoroutinefunction(wrapped):
            raise TypeError(f"a flow is an async function; write `async def {wrapped.__name__}(ctx, …)`")
        limit = None if timeout is None else Duration.parse(timeout)
        where, worker = executor_of(executor)
        settings = Settings(timeout=limit, on_error=on_error or OnError(), executor=where, worker=worker)
        return PythonFlow(wrapped, name=name, author=author, tags=tags, settings=settings)

    return wrap if function is None else wrap(function)
