"""Firings: one node, or one step of a Python flow, from its inputs to its outcome.

Here the promise of durability is kept: an outcome that the journal holds is taken from
it; an effect starts only when everything before it is on disk; attempts, backoff and
outcome are written down as they happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.core.errors import NodeError, NodeTimeout, StoreError
from penstock.core.events import EventType
from penstock.core.payload import Error, Payload, normalise
from penstock.core.ports import Emit
from penstock.engine.context import ControlContext, NodeContext
from penstock.engine.observation import masked, observed_attempt
from penstock.engine.outputs import checked

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from penstock.core.duration import Duration
    from penstock.core.policies import Retry
    from penstock.engine.live import LiveRun
    from penstock.engine.plan import Vertex
    from penstock.engine.process import Process
    from penstock.engine.replay import Past

Attempt = Callable[[int], Awaitable[Payload]]
"""Runs the code once; its argument is the number of the attempt, from 1."""


class Failure(Exception):
    """A firing failed for good. `cause` is the exception, where this process saw it."""

    def __init__(self, error: Error, cause: BaseException | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.cause = cause or error.to_exception()


async def fire(
    process: Process, vertex: Vertex, inputs: Mapping[str, Payload], branch: tuple[int, ...]
) -> Mapping[str, Payload]:
    """Fire a vertex. Returns its outputs by port; raises Failure."""
    run = process.run
    name = process.path + vertex.name
    state_key = name
    if branch:
        name = f"{name}#{'.'.join(map(str, branch))}"
    if run.edited:
        inputs = {**inputs, **run.edited.get(name, {})}

    async def attempt(number: int) -> Payload:
        context: NodeContext | None = None
        if vertex.is_control:
            context = ControlContext(process, vertex, name, state_key, number)
        elif vertex.wants_context:
            context = NodeContext(process, vertex, name, state_key, number)
        arguments = (inputs,) if context is None else (inputs, context)
        if vertex.is_async:
            outputs = await vertex.run(*arguments)
        elif vertex.blocking:
            outputs = await run.in_thread(vertex.run, *arguments)
        else:
            outputs = vertex.run(*arguments)
        return outputs if vertex.normalised and outputs is not None else checked(vertex, outputs)

    if run.slots is None or vertex.is_control or not (vertex.is_async or vertex.blocking):
        return await _fire(run, name, attempt, vertex, state_key, process)
    async with run.slots:
        return await _fire(run, name, attempt, vertex, state_key, process)


async def _fire(
    run: LiveRun, name: str, attempt: Attempt, vertex: Vertex, state_key: str, process: Process
) -> Mapping[str, Payload]:
    run.begin_work()
    try:
        outputs: Mapping[str, Payload] = await perform(
            run, name, attempt, vertex, state_key=state_key, process=process, waits=run.aside
        )
    finally:
        run.settle_down()
    return outputs


class Work:
    """What `perform` needs to know of the thing that fires; a Vertex has all of it."""

    __slots__ = ("kind", "pure", "retry", "timeout")
    many_ports: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        kind: str,
        *,
        pure: bool = False,
        retry: Retry | None = None,
        timeout: Duration | None = None,
    ) -> None:
        self.kind = kind
        self.pure = pure
        self.retry = retry
        self.timeout = timeout


async def perform(
    run: LiveRun,
    name: str,
    attempt: Attempt,
    work: Work | Vertex,
    *,
    state_key: str = "",
    process: Process | None = None,
    waits: Callable[[], AbstractContextManager[None]],
) -> Payload:
    """Bring a firing to its outcome: from the journal, or by attempts. Raises Failure.

    waits: opens a section in which whatever fires does not count as busy.
    """
    past = run.replay.firing(name) if run.replay is not None else None
    if past is not None and past.done and not (past.masked and work.pure):
        return _again(past)
    journal = run.journal
    if journal.closed:  # the run is being put aside: what its code still tries waits for its return
        raise asyncio.CancelledError
    if not work.pure and journal.committed < journal.seq:
        await journal.commit()
        if journal.failed is not None:
            raise journal.failed
    if past is not None and past.until is not None:
        with waits():
            await run.sleep_until(past.until)
    number = 1 if past is None else past.failed_attempts + 1
    began = _began_before(run, past)
    watch = Watch(run, process)
    if run.observer is not None and not work.pure:
        attempt = observed_attempt(run, name, work.kind, attempt, watch)
    # Not a function of its own for an attempt: each coroutine more is felt where there are many.
    while True:
        if not (work.pure or journal.held):
            await journal.hold()
        began = _begin(run, name, work, number, began)
        limit = work.timeout
        try:
            outputs = await (
                attempt(number) if limit is None else limited(run, attempt, number, limit, watch)
            )
        except (Exception, SystemExit, asyncio.CancelledError) as cause:
            failure, duration_ms = watch.failure(cause, name), _since(run, began)
        else:
            run.probe("node.executed")
            _complete(run, name, outputs, began, work, state_key)
            watch.heed()
            return outputs
        if not await _retry(run, name, work, number, failure.error, waits):
            facts = {"error": failure.error, "duration_ms": duration_ms}
            journal.emit(EventType.NODE_FAILED, name, facts)
            raise failure from failure.cause
        number += 1
        began = None


def _again(past: Past) -> Payload:
    """The outcome that the journal holds. Raises Failure."""
    if past.error is not None:
        raise Failure(past.error)
    return past.result()


def _began_before(run: LiveRun, past: Past | None) -> float | None:
    """When an attempt that a replay goes on with began, by the monotonic clock."""
    if past is None or past.began is None:
        return None
    return run.clock.monotonic() - (run.clock.now() - past.began)


def _begin(run: LiveRun, name: str, work: Work | Vertex, number: int, began: float | None) -> float:
    """Write down that an attempt begins, unless a replay goes on with it; when it began."""
    if began is not None and run.replay is not None and run.replay.goes_on(name):
        return began
    run.journal.emit(EventType.NODE_STARTED, name, {"kind": work.kind, "attempt": number})
    return run.clock.monotonic() if began is None else began


def _complete(
    run: LiveRun, name: str, outputs: Payload, began: float, work: Work | Vertex, state_key: str
) -> None:
    facts: dict[str, Any] = {"outputs": outputs, "duration_ms": _since(run, began)}
    if not run.journal.keeps_starts:
        facts["kind"] = work.kind
    if state_key in run.states:
        facts["state"] = normalise(run.states[state_key])
    if work.many_ports:
        many = [port for port, payload in outputs.items() if type(payload) is Emit]
        if many:
            facts["many"] = many
    run.journal.emit(EventType.NODE_COMPLETED, name, facts)


class Watch:
    """Tells a cancellation that this firing must heed from one that is its own affair.

    `Task.cancelling` alone does not tell: before Python 3.13 a task group whose child
    fails while the group is being left does not take its own cancellation back. So the
    engine's word counts first: the run, or a process around this firing, is being stopped.
    """

    __slots__ = ("_before", "_process", "_run", "_task", "expired")

    def __init__(self, run: LiveRun, process: Process | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._run = run
        self._process = process
        self._task = task
        self._before = task.cancelling()
        self.expired = False

    @property
    def stopped(self) -> bool:
        return self._run.stopped or (self._process is not None and self._process.stopped)

    def failure(self, cause: BaseException, name: str) -> Failure:
        """The failure that came out of an attempt; raises where it is none of the node's own.

        That is CancelledError, or StoreError.
        """
        if isinstance(cause, StoreError):
            raise cause
        if self.stopped:
            raise asyncio.CancelledError from cause
        if isinstance(cause, asyncio.CancelledError):
            if self._task.cancelling() > self._before:
                raise cause
            cause = NodeError("something that the node waited for was cancelled", code="cancelled")
        self._forget()
        return Failure(Error.from_exception(cause, node=name), cause)

    def heed(self) -> None:
        """After an attempt that completed: when it swallowed the word to stop, stop now."""
        if self.stopped:
            raise asyncio.CancelledError
        if self._task.cancelling() > self._before:
            self._forget()

    def _forget(self) -> None:
        while self._task.cancelling() > self._before:
            self._task.uncancel()

    def expire(self) -> None:
        """The attempt's time is up."""
        self.expired = True
        self._task.cancel()


async def limited(run: LiveRun, attempt: Attempt, number: int, limit: Duration, watch: Watch) -> Payload:
    """Make an attempt within its time. Raises NodeTimeout."""
    # A timer of the run's clock rather than of the loop, so that a test can be its master.
    timer = run.clock.call_later(limit.total_seconds(), watch.expire)
    run.limits += 1
    watch.expired = False
    try:
        outputs = await attempt(number)
    except BaseException:
        if watch.expired and not watch.stopped:
            raise _too_slow(limit) from None
        raise
    finally:
        run.limits -= 1
        timer.cancel()
    if watch.expired:
        raise _too_slow(limit)
    return outputs


def _too_slow(limit: Duration) -> NodeTimeout:
    return NodeTimeout(
        f"took longer than {limit}", remedy="raise the node's `timeout`, or look why it is slow"
    )


async def _retry(
    run: LiveRun,
    name: str,
    work: Work | Vertex,
    number: int,
    error: Error,
    waits: Callable[[], AbstractContextManager[None]],
) -> bool:
    """Wait for another attempt; False when there is none left or the error is not worth one."""
    policy = work.retry
    if policy is None or number >= policy.attempts or not policy.covers(error.code):
        return False
    delay = policy.wait(number, run.clock.chance())
    until = run.clock.now() + delay
    facts = {"attempt": number, "error": error, "delay_ms": round(delay * 1000, 3), "until": until}
    run.journal.emit(EventType.NODE_RETRYING, name, facts)
    if run.observer is not None:
        told = masked(error, run.journal.redactor)
        run.observer.retried(run.subject, name, work.kind, number, delay, told)
    if run.replay is not None:
        run.replay.forget_inside(name)
    run.probe("retry.backoff")
    with waits():
        await run.sleep_until(until)
    return True


def _since(run: LiveRun, began: float) -> float:
    return round((run.clock.monotonic() - began) * 1000, 3)
