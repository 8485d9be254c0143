"""Flows in plain Python: an async function whose steps are journaled.

The function runs again from its beginning on every replay, and each step that the journal
knows answers at once. So the function itself must be deterministic; whatever is not
(time, chance, the outside) belongs in a step. Steps are known by their place in the
program: `name#3` is the third operation of the flow, `name#3.0.1` the first operation in
the second branch of a gather that was the third.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import hashlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

import msgspec

from penstock.core.duration import Duration
from penstock.core.errors import InputError, NonDeterminism, StoreError
from penstock.core.payload import Error, Payload, normalise
from penstock.core.policies import OnError, Retry
from penstock.core.spec import Settings, decode_hook
from penstock.engine.context import Reporter, StepContext
from penstock.engine.firing import Failure, Work, perform

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from penstock.engine.flow import Flow
    from penstock.engine.live import LiveRun

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


class _Scope:
    """Counts the operations of one strand of the program: those begun, and those open."""

    __slots__ = ("count", "open", "prefix")

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.count = 0
        self.open = 0

    def next(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"


_SCOPE: contextvars.ContextVar[_Scope] = contextvars.ContextVar("penstock_scope")
"""The strand that the current task executes; each branch of a gather has its own."""


class Context(Reporter):
    """What a Python flow gets as its first argument."""

    __slots__ = ("_path", "_places", "_resources")

    def __init__(self, run: LiveRun, resources: AsyncExitStack, *, path: str = "") -> None:
        super().__init__(run, path.removesuffix("/"), 1)
        self._path = path
        self._resources = resources
        self._places = _places(run, path)

    @property
    def resources(self) -> AsyncExitStack:
        """What is opened here is closed when the run ends, whatever the outcome."""
        return self._resources

    def step(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        """Call a function as a step: journaled, retried, never repeated once done.

        The result is the payload of what the function returned, live and on replay alike.
        A plain function gets a thread, so that it may wait. A parameter that is hinted as
        `StepContext` gets the step's context, idempotency key included. Raises NodeError
        when the step failed for good.
        """
        declared = function if isinstance(function, Step) else Step(function)
        name = self._name(declared.name)

        async def attempt(number: int) -> Payload:
            if declared.context:
                kwargs[declared.context] = StepContext(self._run, name, number)
            if declared.is_async:
                value = await declared.function(*args, **kwargs)
            elif declared.blocking:
                value = await self._run.in_thread(functools.partial(declared.function, *args, **kwargs))
            else:
                value = declared.function(*args, **kwargs)
            return normalise(value)

        return self._perform(name, attempt, declared.work)

    def sleep(self, duration: Duration | float | str) -> Coroutine[Any, Any, None]:
        """Wait. The deadline is journaled, so a restart in between does not begin anew."""
        name = self._name("sleep")
        seconds = Duration.parse(duration).total_seconds()

        async def attempt(_: int) -> Payload:
            with self._run.aside():
                await self._run.sleep(name, name, seconds)
            return None

        return self._perform(name, attempt, _SLEEP)

    def call(self, flow: Flow, /, **inputs: Any) -> Coroutine[Any, Any, Any]:
        """Run another flow as a child of this run and return its result."""
        name = self._name(flow.name)
        return self._call(flow, name, inputs)

    async def gather(self, *awaitables: Coroutine[Any, Any, Any]) -> list[Any]:
        """Await several at the same time; results in order.

        When one fails the others are cancelled, and its failure is raised.
        """
        place = _SCOPE.get().next()
        run = self._run
        if run.replay is not None:
            run.replay.enter(place)
        for awaitable in awaitables:
            if not inspect.iscoroutine(awaitable):
                raise TypeError(f"gather takes coroutines, such as ctx.step(…), not {awaitable!r}")

        async def strand(number: int, awaitable: Coroutine[Any, Any, Any]) -> Any:
            _SCOPE.set(_Scope(f"{place}.{number}."))
            return await awaitable

        caller = asyncio.current_task()
        cancels = caller.cancelling() if caller is not None else 0
        with self._aside():
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(strand(number, awaitable), name=f"{run.fid}:{place}.{number}")
                        for number, awaitable in enumerate(awaitables)
                    ]
                    for task in tasks:
                        run.begin_work()
                        task.add_done_callback(lambda _: run.settle_down())
            except BaseExceptionGroup as errors:
                # Before Python 3.13 a group may leave its own cancellation behind.
                while caller is not None and not run.stopped and caller.cancelling() > cancels:
                    caller.uncancel()
                raise errors.exceptions[0] from None
            finally:
                for awaitable in awaitables:
                    awaitable.close()  # a strand that was cancelled before it began never awaited it
        return [task.result() for task in tasks]

    # --- one operation --------------------------------------------------------------

    def _name(self, called: str) -> str:
        place = _SCOPE.get().next()
        name = f"{self._path}{called}#{place}"
        recorded = self._places.get(place)
        if recorded is not None and recorded != name:
            raise NonDeterminism(
                f"operation {place} of `{self._run.flow.name}` was `{recorded}` when the run began, "
                f"and is `{name}` now",
                fid=self._run.fid,
                remedy="finish running runs on the old code, or start a new run on the new one",
            )
        return name

    async def _perform(self, name: str, attempt: Callable[[int], Awaitable[Payload]], work: Work) -> Any:
        with self._aside():
            try:
                return await perform(self._run, name, attempt, work)
            except Failure as failure:
                raise failure.error.to_exception() from failure.cause

    async def _call(self, flow: Flow, name: str, inputs: Mapping[str, Any]) -> Any:
        with self._aside():
            return await self._run.call_flow(flow, name, inputs)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """A strand waits for its operations, however many of them it has open at a time."""
        scope = _SCOPE.get()
        scope.open += 1
        if scope.open == 1:
            self._run.settle_down()
        try:
            yield
        finally:
            scope.open -= 1
            if scope.open == 0:
                self._run.begin_work()


_SLEEP = Work("sleep", pure=True)


def _places(run: LiveRun, path: str) -> dict[str, str]:
    """Place in the program → the operation that the journal has there."""
    names = run.replay.names() if run.replay is not None else ()
    found: dict[str, str] = {}
    for name in names:
        if not name.startswith(path):
            continue
        own = name[len(path) :].partition("/")[0]
        _, mark, place = own.partition("#")
        if mark:
            found.setdefault(place, f"{path}{own}")
    return found


class PythonFlow(Generic[P, R]):
    """A flow made of an async function. Calling it calls the function."""

    source = "python"

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
        strand = _SCOPE.set(_Scope())
        try:
            return normalise(await self.function(context, **arguments))
        except (NonDeterminism, StoreError):
            raise
        except (Exception, SystemExit) as error:
            raise Failure(Error.from_exception(error), error) from error
        finally:
            _SCOPE.reset(strand)

    async def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Payload:
        return await self.execute_child(run, inputs, "")

    async def execute_child(self, run: LiveRun, inputs: Mapping[str, Payload], path: str) -> Payload:
        from contextlib import AsyncExitStack

        run.begin_work()
        try:
            async with AsyncExitStack() as resources:
                return await self.invoke(Context(run, resources, path=path), inputs)
        finally:
            run.settle_down()


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
