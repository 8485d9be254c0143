"""Entries: where root processes begin, and what hangs from there at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from penstock.core.payload import Error, Payload
from penstock.engine.firing import Failure, Watch, limited
from penstock.engine.process import Process
from penstock.engine.tree import Tree, is_tree

if TYPE_CHECKING:
    from penstock.core.duration import Duration
    from penstock.engine.kind import Node
    from penstock.engine.live import LiveRun
    from penstock.engine.plan import Plan
    from penstock.engine.resident.roots import Roots

Fails = Callable[[Payload], bool]
"""Whether a response counts as a failure, for what its process has open."""


class Entry:
    """A port of a trigger with the plan behind it, from one relinking to the next.

    Processes keep the entry that they began with, so each of them sees one state of the
    graph from its first packet to its last. error: the plan that answers for failures. limit:
    how long a process may take. inline: it needs no event loop. running: how many are under way.
    way: what it was compiled of. at_once: the response to a payload without an event loop,
    where that can be had; it raises Failure.
    """

    __slots__ = (
        "__weakref__", "_drained", "_shared", "at_once", "error", "inline", "key", "limit",
        "nodes", "plan", "port", "roots", "running", "way",
    )  # fmt: skip

    def __init__(
        self,
        roots: Roots,
        key: str,
        port: str,
        plan: Plan,
        *,
        error: Plan | None = None,
        limit: Duration | None = None,
        way: tuple[object, ...] = (),
    ) -> None:
        self.roots = roots
        self.key = key
        self.port = port
        self.plan = plan
        self.error = error
        self.limit = limit
        self.way = way
        looked_at = roots.runtime.inspector is not None
        self.inline = plan.inline and not looked_at
        self.nodes = frozenset(_nodes((plan,) if error is None else (plan, error)))
        self.running = 0
        self._drained: asyncio.Future[None] | None = None
        self._shared = roots.live(key)
        self.at_once: Callable[[Payload], Payload] | None = None
        if not looked_at and is_tree(plan):
            self.at_once = Tree(plan.feeds).answer
        elif self.inline:
            self.at_once = partial(self._run_now, plan)

    def answer_now(self, payload: Payload) -> Payload:
        """The response of an inline process. Raises Failure."""
        assert self.at_once is not None
        return self.at_once(payload)

    def recover_now(self, failure: Failure) -> Payload:
        """What the error plan makes of a failure, where it is inline, too. Raises Failure."""
        assert self.error is not None
        return self._run_now(self.error, failure.error)

    def _run_now(self, plan: Plan, payload: Payload) -> Payload:
        # Nothing in such a plan can see its run, so all of them share one.
        process = Process(plan, self._shared)
        for route in plan.feeds:
            process.arrive(route, payload)
        return process.drain()

    async def answer(self, payload: Payload, *, fails: Fails | None = None, trace: str = "") -> Payload:
        """The response of a root process. Raises NodeError."""
        with self.in_flight():
            live = self.roots.live(self.key)
            try:
                with self.roots.watched(live, self, trace):
                    return await self._execute(self.plan, live, payload, fails)
            except Failure as failure:
                return await self._recover(live, failure, fails, trace)

    async def recover(self, failure: Failure, *, fails: Fails | None = None, trace: str = "") -> Payload:
        """What the error plan makes of the failure of an inline process. Raises NodeError."""
        with self.in_flight():
            return await self._recover(self.roots.live(self.key), failure, fails, trace)

    async def _recover(
        self, live: LiveRun, failure: Failure, fails: Fails | None, trace: str
    ) -> Payload:
        if self.error is not None:
            try:
                with self.roots.watched(live, self, trace):
                    return await self._execute(self.error, live, failure.error, fails)
            except Failure as second:
                failure = second
        told = failure.error.to_exception()
        told.process = live.fid
        raise told from failure.cause

    async def _execute(
        self, plan: Plan, live: LiveRun, payload: Payload, fails: Fails | None
    ) -> Payload:
        process = Process(plan, live, fails=fails)
        if live.inspector is not None:
            port = self.port if plan is self.plan else "error"
            payload = await live.inspector.sent(process, self.key, port, payload)
        if self.limit is None:
            return await process.answer(payload)

        async def answer(_: int) -> Payload:
            return await process.answer(payload)

        watch = Watch(live, None)
        try:
            return await limited(live, answer, 1, self.limit, watch)
        except Failure:
            raise
        except Exception as error:
            raise Failure(Error.from_exception(error, node=self.key), error) from error

    # --- draining -----------------------------------------------------------------

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """A process of this entry is under way."""
        self.running += 1
        try:
            yield
        finally:
            self.left()

    def left(self) -> None:
        """One process less is under way."""
        self.running -= 1
        if not self.running and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def drained(self) -> None:
        """Return when no process of this entry is under way."""
        if not self.running:
            return
        if self._drained is None or self._drained.done():
            self._drained = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._drained)


def _nodes(plans: Iterable[Plan]) -> Iterator[Node]:
    """Every instance in the plans and in what they call."""
    seen: set[int] = set()
    stack = list(plans)
    while stack:
        plan = stack.pop()
        if id(plan) in seen:
            continue
        seen.add(id(plan))
        for vertex in plan.vertices:
            yield vertex.node
            stack.extend(vertex.called.values())
