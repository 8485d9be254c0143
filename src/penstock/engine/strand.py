"""The context of a Python flow: its operations, each known by its place in the program.

`name#3` is the third operation of the flow, `name#3.0.1` the first operation in the second
branch of a gather that was the third. Each strand of the program counts its own, so that
strands which run at the same time get the same places on every replay.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from penstock.core.duration import Duration
from penstock.core.errors import NodeError, NonDeterminism
from penstock.core.payload import Payload, normalise
from penstock.engine.context import Reporter, StepContext
from penstock.engine.firing import Failure, Work, perform
from penstock.engine.locks.decision import Check, decide
from penstock.engine.locks.demand import RELEASE_TIMEOUT, Demand, Span, demand
from penstock.engine.locks.registry import expired_again
from penstock.engine.redaction import Redactor
from penstock.engine.step import Step
from penstock.engine.step_call import StepCall

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from penstock.engine.flow import Flow
    from penstock.engine.live import LiveRun
    from penstock.engine.locks.candidate import Candidate
    from penstock.engine.resources import Resources

T = TypeVar("T")


class Strand:
    """One strand of the program: it counts its operations, so that each has its place.

    open: operations under way. waits: those of them that only wait. A strand all of whose
    open operations wait does not count as busy.
    """

    __slots__ = ("count", "open", "prefix", "waits")

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.count = 0
        self.open = 0
        self.waits = 0

    def next(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"


STRAND: contextvars.ContextVar[Strand] = contextvars.ContextVar("penstock_strand")
"""The strand that the current task executes; each branch of a gather has its own."""


class Context(Reporter):
    """What a Python flow gets as its first argument."""

    __slots__ = ("_path", "_places", "_resources", "_steps")

    def __init__(self, run: LiveRun, resources: Resources, *, path: str = "") -> None:
        node = path.removesuffix("/")
        told = run.replay.told(node, firing=False) if run.replay is not None else 0
        super().__init__(run, node, 1, told=told)
        self._path = path
        self._resources = resources
        self._places = _places(run, path)
        self._steps: dict[Callable[..., Any], Step[..., Any]] = {}

    @property
    def resources(self) -> AsyncExitStack:
        """What is opened here is closed when the run ends, whatever the outcome."""
        return self._resources.stack

    def step(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        """Call a function as a step: journaled, retried, never repeated once done.

        The result is the payload of what the function returned, live and on replay alike.
        A plain function gets a thread, so that it may wait. A parameter that is hinted as
        `StepContext` gets the step's context, idempotency key included. Raises NodeError
        when the step failed for good.
        """
        declared = self._steps.get(function)
        if declared is None:
            declared = function if isinstance(function, Step) else Step(function)
            self._steps[function] = declared
        name = self._name(declared.name)
        return self._perform(name, StepCall(self._run, declared, name, args, kwargs), declared.work)

    async def perform(
        self, name: str, work: Callable[[StepContext], Awaitable[Any]], *, kind: str = "step"
    ) -> Any:
        """Bring a step to its outcome, under a name of its own: for a program that another one runs.

        name: the same on every replay, and no other's. work: gets the step's context. Raises
        NodeError when the step failed.
        """
        run = self._run
        named = f"{self._path}{name}"

        async def attempt(number: int) -> Payload:
            run.begin_work()
            try:
                return normalise(await work(StepContext(run, named, number)))
            finally:
                run.settle_down()

        try:
            return await perform(run, named, attempt, Work(kind), waits=run.aside)
        except Failure as failure:
            raise failure.error.to_exception() from failure.cause

    def below(self, name: str) -> Context:
        """The context of what happens inside a step: its operations are named below it."""
        return Context(self._run, self._resources, path=f"{self._path}{name}/")

    def conceal(self, *secrets: str) -> None:
        """Mask these texts in all that the run records from now on."""
        hidden = Redactor(secrets)
        if hidden:
            self._run.journal.redactor = hidden.joined(self._run.journal.redactor)

    def sleep(self, duration: Duration | float | str) -> Coroutine[Any, Any, None]:
        """Wait. The deadline is journaled, so a restart in between does not begin anew."""
        name = self._name("sleep")
        seconds = Duration.parse(duration).total_seconds()

        async def attempt(_: int) -> Payload:
            with self._waits():
                await self._run.sleep(name, name, seconds)
            return None

        return self._perform(name, attempt, _SLEEP)

    def call(self, flow: Flow, /, **inputs: Any) -> Coroutine[Any, Any, Any]:
        """Run another flow as a child of this run and return its result."""
        name = self._name(flow.name)
        return self._call(flow, name, inputs)

    @overload
    def lock(
        self,
        name: str,
        *,
        schema: type[T],
        data: Any = None,
        title: str = "",
        description: str = "",
        candidate_timeout: Span | None = None,
        release_timeout: Span | None = RELEASE_TIMEOUT,
        check: Check | None = None,
    ) -> Coroutine[Any, Any, T]: ...

    @overload
    def lock(
        self,
        name: str,
        *,
        schema: Any = None,
        data: Any = None,
        title: str = "",
        description: str = "",
        candidate_timeout: Span | None = None,
        release_timeout: Span | None = RELEASE_TIMEOUT,
        check: Check | None = None,
    ) -> Coroutine[Any, Any, Any]: ...

    def lock(self, name: str, *, check: Check | None = None, **asked: Any) -> Coroutine[Any, Any, Any]:
        """Wait until somebody submits a candidate that this flow accepts, and return its answer.

        schema: what a candidate must be: a JSON Schema, or a type that has one, which the answer
        is then made of; None takes anything. data: what a person needs to see. title,
        description: over the form. candidate_timeout: how long to wait, else LockExpired is raised.
        release_timeout: how long whoever submits waits for the decision. check: decides about
        each candidate: returns the answer, or None for the candidate's own value, or raises
        `Denied`, which leaves the lock open. It may be async and make steps of its own.
        """
        wanted = demand(name, **asked)
        place = STRAND.get().next()
        firing = self._name(name, place)
        return self._lock(firing, place, wanted, check)

    async def _lock(self, firing: str, place: str, wanted: Demand, check: Check | None) -> Any:
        run = self._run
        if run.replay is not None:
            run.replay.enter(place)

        async def decided(candidate: Candidate) -> Payload:
            run.begin_work()
            try:
                with self._waits():
                    # What the check does has places below this candidate's, like a branch of a gather.
                    strand = STRAND.set(Strand(f"{place}.{candidate.number}."))
                    try:
                        return await decide(check, candidate, wanted)
                    finally:
                        STRAND.reset(strand)
            finally:
                run.settle_down()

        async def attempt(_: int) -> Payload:
            return await run.locks.ask(
                wanted, node=firing, place=firing, decide=decided, waits=self._waits
            )

        try:
            return wanted.convert(await self._perform(firing, attempt, _LOCK))
        except NodeError as error:
            expired_again(error)

    async def gather(self, *awaitables: Coroutine[Any, Any, Any]) -> list[Any]:
        """Await several at the same time; results in order.

        When one fails the others are cancelled, and its failure is raised.
        """
        place = STRAND.get().next()
        run = self._run
        if run.replay is not None:
            run.replay.enter(place)
        for awaitable in awaitables:
            if not inspect.iscoroutine(awaitable):
                raise TypeError(f"gather takes coroutines, such as ctx.step(…), not {awaitable!r}")

        async def strand(number: int, awaitable: Coroutine[Any, Any, Any]) -> Any:
            STRAND.set(Strand(f"{place}.{number}."))
            return await awaitable

        caller = asyncio.current_task()
        cancels = caller.cancelling() if caller is not None else 0
        strand_of_caller = self._begin()
        try:
            with self._waits():
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
            self._end(strand_of_caller)
            for awaitable in awaitables:
                awaitable.close()  # a strand that was cancelled before it began never awaited it
        return [task.result() for task in tasks]

    # --- one operation --------------------------------------------------------------

    def _name(self, called: str, place: str = "") -> str:
        place = place or STRAND.get().next()
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
        strand = self._begin()
        try:
            return await perform(self._run, name, attempt, work, waits=self._waits)
        except Failure as failure:
            raise failure.error.to_exception() from failure.cause
        finally:
            self._end(strand)

    async def _call(self, flow: Flow, name: str, inputs: Mapping[str, Any]) -> Any:
        strand = self._begin()
        try:
            with self._waits():
                given = {**inputs, **self._run.edited.get(name, {})}
                return await self._run.call_flow(flow, name, given)
        finally:
            self._end(strand)

    def _begin(self) -> Strand:
        """An operation begins on the current strand."""
        strand = STRAND.get()
        strand.open += 1
        if strand.waits and strand.waits == strand.open - 1:
            self._run.begin_work()
        return strand

    def _end(self, strand: Strand) -> None:
        strand.open -= 1
        if strand.waits and strand.waits == strand.open:
            self._run.settle_down()

    @contextmanager
    def _waits(self) -> Iterator[None]:
        """A section in which an operation of the current strand only waits."""
        strand = STRAND.get()
        strand.waits += 1
        if strand.waits == strand.open:
            self._run.settle_down()
        try:
            yield
        finally:
            if strand.waits == strand.open:
                self._run.begin_work()
            strand.waits -= 1


_SLEEP = Work("sleep", pure=True)
_LOCK = Work("lock")


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
