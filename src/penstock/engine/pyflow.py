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
from collections.abc import Callable, Coroutine, Mapping
from types import CodeType
from typing import Any, Generic, ParamSpec, TypeVar, overload

import msgspec

from penstock.core.duration import Duration
from penstock.core.errors import InputError, NonDeterminism, StoreError
from penstock.core.payload import Error, Payload, normalise
from penstock.core.policies import OnError
from penstock.core.spec import DEFAULT_NAMESPACE, Settings, decode_hook
from penstock.engine.firing import Failure
from penstock.engine.live import LiveRun
from penstock.engine.resources import Resources
from penstock.engine.strand import STRAND, Context, Strand

P = ParamSpec("P")
R = TypeVar("R")


class PythonFlow(Generic[P, R]):
    """A flow made of an async function. Calling it calls the function."""

    source = "python"
    redactor = None

    def __init__(
        self,
        function: Callable[..., Coroutine[Any, Any, R]],
        *,
        name: str = "",
        timeout: Duration | None = None,
        on_error: OnError | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.namespace = DEFAULT_NAMESPACE
        self.description = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0]
        self.settings = Settings(timeout=timeout, on_error=on_error or OnError())
        self.reference = f"{function.__module__}:{function.__qualname__}"
        text = f"{self.reference}\n{_fingerprint(function.__code__)}"
        self.revision = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        self._parameters = list(inspect.signature(function).parameters.values())[1:]

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, R]:
        return self.function(*args, **kwargs)

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        from typing import get_type_hints

        return get_type_hints(self.function, include_extras=True)

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the function's parameters, the context left out."""
        hints = {item.name: self._hints.get(item.name, Any) for item in self._parameters}
        schemas, definitions = msgspec.json.schema_components(hints.values(), schema_hook=_schema_of)
        properties = dict(zip(hints, schemas, strict=True))
        for item in self._parameters:
            if item.default is not item.empty:
                properties[item.name] = properties[item.name] | {"default": normalise(item.default)}
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        required = [item.name for item in self._parameters if item.default is item.empty]
        if required:
            schema["required"] = required
        if definitions:
            schema["$defs"] = definitions
        return schema

    def document(self) -> dict[str, Any]:
        module = sys.modules.get(self.function.__module__)
        file = getattr(module, "__file__", None)
        return {"flow": self.name, "reference": self.reference, "file": file or ""}

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        known = {item.name: item for item in self._parameters}
        problems = [f"`{name}` is no parameter of the flow" for name in inputs if name not in known]
        problems += [
            f"`{name}` is missing"
            for name, item in known.items()
            if item.default is item.empty and name not in inputs
        ]
        accepted = {name: normalise(value) for name, value in inputs.items() if name in known}
        for name, value in accepted.items():
            try:
                self._argument(name, value)
            except (msgspec.ValidationError, ValueError) as error:
                problems.append(f"`{name}`: {error}")
        if problems:
            names = ", ".join(known) or "none"
            raise InputError(self.name, problems, remedy=f"its parameters are: {names}")
        return accepted

    def _argument(self, name: str, value: Payload) -> Any:
        hint = self._hints.get(name, Any)
        if hint is Any:
            return value
        return msgspec.convert(value, hint, dec_hook=decode_hook, strict=True)

    async def load(self) -> None:
        """Nothing to load: the function is there."""

    async def unload(self) -> None:
        """Nothing to unload."""

    async def invoke(self, context: Context, inputs: Mapping[str, Payload]) -> Payload:
        """Call the function with its context. Raises Failure."""
        arguments = {name: self._argument(name, value) for name, value in inputs.items()}
        strand = STRAND.set(Strand())
        try:
            return normalise(await self.function(context, **arguments))
        except (NonDeterminism, StoreError):
            raise
        except (Exception, SystemExit) as error:
            raise Failure(Error.from_exception(error), error) from error
        finally:
            STRAND.reset(strand)

    async def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Payload:
        return await self.execute_child(run, inputs, "")

    async def execute_child(
        self,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        path: str,
        *,
        around: Resources | None = None,
    ) -> Payload:
        resources = Resources(run, around=around)
        run.begin_work()
        try:
            result = await self.invoke(Context(run, resources, path=path), inputs)
        except BaseException as error:
            await resources.release(error)
            raise
        finally:
            run.settle_down()
        try:
            await resources.release(None)
        except Exception as error:
            raise Failure(Error.from_exception(error), error) from error
        return result


def _fingerprint(code: CodeType) -> str:
    """What a function does, as far as its compiled form tells; the same in every process."""
    consts = [
        _fingerprint(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts
    ]
    return f"{code.co_code.hex()}{consts}{code.co_names}"


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is Duration:
        return {"type": ["string", "number"], "description": "a duration such as 30s or 2h"}
    return {}


@overload
def flow(function: Callable[..., Coroutine[Any, Any, R]], /) -> PythonFlow[..., R]: ...


@overload
def flow(
    *,
    name: str = "",
    timeout: Duration | float | str | None = None,
    on_error: OnError | None = None,
) -> Callable[[Callable[..., Coroutine[Any, Any, R]]], PythonFlow[..., R]]: ...


def flow(
    function: Callable[..., Coroutine[Any, Any, Any]] | None = None,
    /,
    *,
    name: str = "",
    timeout: Duration | float | str | None = None,
    on_error: OnError | None = None,
) -> Any:
    """Make a durable flow of an async function whose first parameter is its context.

    The other parameters are the flow's inputs: their hints become JSON Schema. timeout
    bounds the whole run.
    """

    def wrap(wrapped: Callable[..., Coroutine[Any, Any, Any]]) -> PythonFlow[..., Any]:
        if not inspect.iscoroutinefunction(wrapped):
            raise TypeError(f"a flow is an async function; write `async def {wrapped.__name__}(ctx, …)`")
        limit = None if timeout is None else Duration.parse(timeout)
        return PythonFlow(wrapped, name=name, timeout=limit, on_error=on_error)

    return wrap if function is None else wrap(function)
