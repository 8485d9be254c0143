"""Processes: one traversal of a plan.

A process is a set of ready firings and the workers that take them. A worker runs one
firing after the other; before it awaits one while others are ready, it sees to it that a
spare worker will be there. So a firing that never suspends costs no task, however many
are ready together, and each one that does suspend costs exactly one.

Invariants: a vertex settles once, after its last firing; a link settles with its source;
a vertex whose in-links have all settled either fires, has fired, or is skipped. The plan
has no cycle, therefore every vertex settles, and the process ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from penstock.core.events import EventType
from penstock.core.payload import Error, Payload
from penstock.core.policies import Strategy
from penstock.core.ports import Emit
from penstock.engine.firing import Failure, fire
from penstock.engine.gate import Gate
from penstock.engine.outputs import NOTHING, checked
from penstock.engine.resources import Resources
from penstock.engine.response import Response

if TYPE_CHECKING:
    from penstock.engine.gate import Branch
    from penstock.engine.live import LiveRun
    from penstock.engine.plan import Plan, Route, Vertex


class Process:
    """One traversal of `plan` for `run`. `path` leads the names of its firings.

    on_error: what a failure that no `error` port catches does. In what a control node
    calls it always stops the process: it belongs to the node that called.
    fails: whether a response counts as a failure, for what the process has open.
    resources: those of the process around it, where it is no process of its own to its user.
    around: those of the process that called the flow that this executes.
    """

    __slots__ = (
        "_gates",
        "_group",
        "_own_resources",
        "_parent",
        "_ready",
        "_response",
        "_spare",
        "_stopping",
        "fails",
        "on_error",
        "path",
        "plan",
        "resources",
        "run",
    )
    resources: Resources

    def __init__(
        self,
        plan: Plan,
        run: LiveRun,
        *,
        path: str = "",
        on_error: Strategy = Strategy.STOP,
        parent: Process | None = None,
        fails: Callable[[Payload], bool] | None = None,
        resources: Resources | None = None,
        around: Resources | None = None,
    ) -> None:
        self.plan = plan
        self.run = run
        self.path = path
        self.on_error = on_error
        self.fails = fails
        self._parent = parent
        self._stopping = False
        # In-port and packet, or, without a port, all the inputs of a join or an entry.
        self._ready: deque[tuple[Vertex, str, Payload, Branch]] = deque()
        self._gates: dict[int, Gate] = {}
        self._response = Response()
        self._group: asyncio.TaskGroup | None = None
        self._spare = False
        self._own_resources = resources is None
        if parent is not None:
            around = parent.resources
        self.resources = resources or Resources(run, around=around)

    # --- entering -----------------------------------------------------------------

    async def launch(self, inputs: Mapping[str, Payload]) -> Payload:
        """Run a flow's plan: its entries fire with the inputs. Returns the response."""
        for vertex in self.plan.entries:
            self._ready.append((vertex, "", _entry_inputs(vertex, inputs), ()))
        return await self._execute()

    async def answer(self, value: Payload) -> Payload:
        """Run a called port's plan with a payload. Returns the response."""
        for route in self.plan.feeds:
            self.arrive(route, value)
        return await self._execute()

    async def pass_through(self, inputs: Mapping[str, Payload]) -> dict[str, list[Payload]]:
        """Run a graph that stands for a node: its packets by in-port, and those that leave it."""
        for port, routes in self.plan.inlets.items():
            for route in routes:
                self.arrive(route, inputs[port])
        await self._execute()
        return self._response.packets(self.plan)

    async def _execute(self) -> Payload:
        if self.plan.inline and self.run.journal.silent and self.run.inspector is None:
            return self.drain()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._work()
        except BaseExceptionGroup as failures:
            failure = _first(failures)
            await self._release(failure)
            raise failure from None
        except BaseException as error:
            await self._release(error)
            raise
        finally:
            self._group = None
            if self._spare:  # it was cancelled before it began
                self._spare = False
                self.run.unstarted -= 1
        response = self._response.value(self.plan)
        refusal = Refused(response) if self.fails is not None and self.fails(response) else None
        try:
            await self._release(refusal)
        except Exception as error:
            raise Failure(Error.from_exception(error, node=self.path.rstrip("/")), error) from error
        return response

    async def _release(self, error: BaseException | None) -> None:
        if self._own_resources:
            await self.resources.release(error)

    # --- firing -------------------------------------------------------------------

    async def _work(self) -> None:
        """Take ready firings until there are none."""
        ready = self._ready
        inspector = self.run.inspector
        silent = self.run.journal.silent and inspector is None
        bare = silent and self.run.slots is None
        unwatched = self.run.observer is None
        while ready and not self._stopping:
            vertex, port, inputs, branch = ready.popleft()
            if port:
                inputs = {**vertex.base, port: inputs} if vertex.base else {port: inputs}
            if silent and vertex.plain:
                self._run_plain(vertex, inputs, branch)
                continue
            if ready and not self._spare:
                self._call_spare()
            if inspector is not None:
                inputs = await inspector.arrived(self, vertex, inputs, branch)
            try:
                if bare and vertex.bare and (unwatched or vertex.pure):
                    outputs = await vertex.run(inputs)
                    if not vertex.normalised or outputs is None:
                        outputs = checked(vertex, outputs)
                else:
                    outputs = await fire(self, vertex, inputs, branch)
            except Failure as failure:
                outputs = self._caught(vertex, failure)
            except (Exception, SystemExit) as error:
                outputs = self._caught(vertex, self._failure(vertex, error))
            if inspector is not None:
                outputs = await inspector.left(self, vertex, outputs, branch)
            self._complete(vertex, outputs, branch)

    def drain(self) -> Payload:
        """Run an inline plan to its end, and return the response."""
        ready = self._ready
        while ready:
            vertex, port, inputs, branch = ready.popleft()
            self._run_plain(vertex, {**vertex.base, port: inputs} if port else inputs, branch)
        return self._response.value(self.plan)

    def _call_spare(self) -> None:
        assert self._group is not None
        self._spare = True
        self.run.unstarted += 1
        self._group.create_task(self._work_spare(), name=f"{self.run.fid}:{self.path}worker")

    async def _work_spare(self) -> None:
        self._spare = False
        self.run.unstarted -= 1
        await self._work()

    def _run_plain(self, vertex: Vertex, inputs: dict[str, Payload], branch: Branch) -> None:
        """Fire a vertex that needs nothing, and those behind it for as long as they do."""
        while True:
            try:
                outputs = vertex.run(inputs)
                if not vertex.normalised:
                    outputs = checked(vertex, outputs)
            except (Exception, SystemExit) as error:
                outputs = self._caught(vertex, self._failure(vertex, error))
                self._complete(vertex, outputs, branch)
                return
            follower = vertex.follower
            if follower is None or branch or outputs is None or len(outputs) != 1:
                self._complete(vertex, outputs or NOTHING, branch)
                return
            port, target, to = follower
            if port not in outputs or not target.plain:
                self._complete(vertex, outputs, branch)
                return
            base = target.base
            inputs = {**base, to: outputs[port]} if base else {to: outputs[port]}
            vertex = target

    def _failure(self, vertex: Vertex, error: BaseException) -> Failure:
        return Failure(Error.from_exception(error, node=self.path + vertex.name), error)

    def _caught(self, vertex: Vertex, failure: Failure) -> Mapping[str, Payload]:
        """What a failed firing sends: its `error` port's packet, or nothing, or the end."""
        if "error" in vertex.routes:
            return {"error": failure.error}
        if self.on_error is Strategy.CONTINUE:
            self.run.failures.append(failure.error)
            return NOTHING
        self._stopping = True
        raise failure

    @property
    def stopped(self) -> bool:
        """Whether this process, or one that waits for it, has failed."""
        return self._stopping or (self._parent is not None and self._parent.stopped)

    # --- routing and settling -----------------------------------------------------

    def _complete(self, vertex: Vertex, outputs: Mapping[str, Payload], branch: Branch) -> None:
        """Send what a firing emitted, and settle the vertex if it can fire no more."""
        routes = vertex.routes
        if vertex.captures or vertex.many_ports or not any(port in routes for port in outputs):
            self._response.add(vertex, outputs, branch)
        if not vertex.once:
            self._send_repeated(vertex, outputs, branch)
            return
        for port, found in routes.items():
            if port not in outputs:
                for route in found:
                    self._close(route)
            elif type(outputs[port]) is Emit:
                for route in found:
                    self._deliver_packets(route, outputs[port], ())
                    self._close(route)
            else:
                payload = outputs[port]
                for route in found:
                    self.arrive(route, payload)

    def _send_repeated(self, vertex: Vertex, outputs: Mapping[str, Payload], branch: Branch) -> None:
        """The same for a vertex that may fire again: its links settle after its last firing."""
        for port, payload in outputs.items():
            for route in vertex.routes.get(port, ()):
                if port in vertex.many_ports:
                    self._deliver_packets(route, payload, branch)
                else:
                    self._deliver(route, payload, branch)
        gate = self._gates[vertex.index]
        gate.live -= 1
        if gate.pending == 0 and gate.live == 0:
            gate.done = True
            self._finish(vertex)

    def _deliver_packets(self, route: Route, payload: Payload, branch: Branch) -> None:
        """Numbered even when it is one, so that no two packets bear the same branch."""
        packets = payload if type(payload) is Emit else (payload,)
        for number, packet in enumerate(packets):
            self._deliver(route, packet, (*branch, number))

    def arrive(self, route: Route, payload: Payload) -> None:
        """The one packet of a link from a vertex that fires once; the link settles."""
        target = route.target
        if target.solo:
            self._ready.append((target, route.port, payload, ()))
            return
        if not target.once:
            self._deliver(route, payload, ())
            self._close(route)
            return
        gate = self._gates.get(target.index)
        if gate is None:
            gate = self._gate(target)
        if not gate.done:
            gate.inbox[route.port] = payload
            gate.pending -= 1
            if not gate.pending:
                self._join(target, gate)

    def _deliver(self, route: Route, payload: Payload, branch: Branch) -> None:
        target = route.target
        gate = self._gate(target)
        if gate.done:
            return
        if route.ordinal is not None:
            branch = (*branch, route.ordinal)
        if len(target.linked) > 1:
            gate.inbox.setdefault(route.port, []).append((branch, payload))
            return
        gate.live += 1
        gate.fired = True
        self._ready.append((target, route.port, payload, branch))

    def _gate(self, vertex: Vertex) -> Gate:
        gate = self._gates.get(vertex.index)
        if gate is None:
            gate = self._gates[vertex.index] = Gate(vertex.in_links)
        return gate

    def _close(self, route: Route) -> None:
        """A link settles."""
        if self._finishes(route):
            self._finish(route.target)

    def _finish(self, vertex: Vertex) -> None:
        """A vertex can fire no more, or never could: its links settle.

        What follows from it goes along a stack of its own: chains may be long.
        """
        stack = [vertex]
        while stack:
            vertex = stack.pop()
            gate = self._gates.get(vertex.index)
            if gate is None or not gate.fired:
                self._tell_skipped(self.path + vertex.name)
            links = (route for found in vertex.routes.values() for route in found)
            stack += reversed([route.target for route in links if self._finishes(route)])

    def _tell_skipped(self, name: str) -> None:
        if self.run.replay is None or not self.run.replay.skipped(name):
            self.run.journal.emit(EventType.NODE_SKIPPED, name, {})

    def _finishes(self, route: Route) -> bool:
        """Take note of a settled link; whether its target can fire no more, and is not about to."""
        target = route.target
        if target.solo:
            return True
        gate = self._gate(target)
        gate.pending -= 1
        if gate.done:
            return False
        if len(target.linked) == 1:
            gate.done = not gate.pending and not gate.live
            return gate.done
        if gate.lacks(target, route.port):
            gate.done = True
            return True
        if gate.pending:
            return False
        return not self._join(target, gate)

    def _join(self, vertex: Vertex, gate: Gate) -> bool:
        """Fire a join whose links have all settled; whether there was anything to fire."""
        gate.done = True
        for inputs, branch in gate.joined(vertex):
            gate.live += 1
            gate.fired = True
            self._ready.append((vertex, "", inputs, branch))
        return gate.fired


class Refused(Exception):
    """What is open in a process learns with this that its response says no."""

    def __init__(self, response: Payload) -> None:
        super().__init__("the response counts as a failure")
        self.response = response


def _entry_inputs(vertex: Vertex, inputs: Mapping[str, Payload]) -> dict[str, Payload]:
    """An entry's in-ports: the flow's inputs by name, `in` the whole mapping."""
    found = dict(vertex.base)
    for port in vertex.node.ports()[0]:
        if port in inputs:
            found[port] = inputs[port]
        elif port == "in" and found.get("in") is None:
            found["in"] = dict(inputs)
    return found


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that came first: a task group lists them in the order they came."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
