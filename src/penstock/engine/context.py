"""What a running node may ask of the engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.events import NOTES, EventType
from penstock.core.payload import Payload, normalise
from penstock.core.ports import Emit, index
from penstock.engine.folder import is_reference
from penstock.engine.locks.decision import Check, decide
from penstock.engine.locks.demand import demand

if TYPE_CHECKING:
    from penstock.engine.flow import Flow
    from penstock.engine.kind import Outputs
    from penstock.engine.leases import Leases
    from penstock.engine.live import LiveRun
    from penstock.engine.locks.candidate import Candidate
    from penstock.engine.nesting import NestedGraph
    from penstock.engine.plan import Vertex
    from penstock.engine.process import Process

T = TypeVar("T")


class Reporter:
    """Tells the run's stream what a firing has to say.

    told: how many notes a replay will make again that are in the stream already.
    """

    __slots__ = ("_run", "_told", "attempt", "node")

    def __init__(self, run: LiveRun, node: str, attempt: int, *, told: int = 0) -> None:
        self._run = run
        self._told = told
        self.node = node
        self.attempt = attempt

    @property
    def fid(self) -> str:
        """The id of the run."""
        return self._run.fid

    @property
    def flow(self) -> str:
        """The name of the flow."""
        return self._run.flow.name

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt and repetition of this firing, and for no other."""
        return f"{self._run.fid}:{self.node}"

    @property
    def folder(self) -> Path:
        """The folder of the run's files: `in` has what it was given, `out` is offered for download."""
        return self._run.folder.path

    def path(self, text: str) -> Path:
        """The path that a text names: `run:out/report.pdf` is in the run's folder.

        Raises NodeError for one that leads out of it.
        """
        return self._run.folder.find(text) if is_reference(text) else Path(text)

    @property
    def traceparent(self) -> str:
        """The W3C `traceparent` to hand to whatever this firing calls; empty when nothing is traced."""
        observer = self._run.observer
        return "" if observer is None else observer.traceparent()

    def now(self) -> float:
        """Epoch seconds, by the runtime's clock."""
        return self._run.clock.now()

    def message(self, text: str, *, level: str = "info", **fields: Any) -> None:
        """Say something to whoever watches the run."""
        self.emit(EventType.NODE_MESSAGE, level=level, message=text, **fields)

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Say how far the work is, from 0 to 1; None when that cannot be known."""
        self.emit(EventType.NODE_PROGRESS, fraction=fraction, message=message)

    def data(self, value: Any) -> None:
        """Show an intermediate value."""
        self.emit(EventType.NODE_DATA, value=value)

    def stdout(self, line: str) -> None:
        """Pass on a line that the work wrote to its standard output."""
        self.emit(EventType.NODE_STDOUT, line=line)

    def stderr(self, line: str) -> None:
        """Pass on a line that the work wrote to its standard error."""
        self.emit(EventType.NODE_STDERR, line=line)

    def emit(self, type: str, **fields: Any) -> None:  # noqa: A002 - the word of the field
        """Add an event about this firing to the stream: `agent.*`, or one of the notes above.

        Safe to call from the thread of a blocking node. Raises ValueError for the types
        that tell the story of the run itself: those are the engine's to write.
        """
        if type not in NOTES:
            allowed = ", ".join(sorted(NOTES))
            raise ValueError(f"a node cannot emit `{type}`; it can emit {allowed}")
        if self._told:
            self._told -= 1
            return
        self._run.emit_from_anywhere(type, self.node, normalise(fields))


class StepContext(Reporter):
    """What a step's function gets for a parameter that is hinted so."""

    __slots__ = ()


class NodeContext(Reporter):
    """What a node's `run` gets when it asks for it."""

    __slots__ = ("_locks", "_process", "_state_key", "_timers", "_vertex", "_waits")

    def __init__(
        self, process: Process, vertex: Vertex, node: str, state_key: str, attempt: int
    ) -> None:
        replay = process.run.replay
        told = replay.told(node) if replay is not None else 0
        super().__init__(process.run, node, attempt, told=told)
        self._process = process
        self._vertex = vertex
        self._state_key = state_key
        self._timers = 0
        self._locks = 0
        self._waits = 0

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """What this firing waits for at the same time counts once."""
        self._waits += 1
        if self._waits == 1:
            self._run.settle_down()
        try:
            yield
        finally:
            self._waits -= 1
            if self._waits == 0:
                self._run.begin_work()

    @property
    def state(self) -> MutableMapping[str, Payload]:
        """What this node keeps from firing to firing within one run; it is journaled."""
        return self._run.states.setdefault(self._state_key, {})

    @property
    def resources(self) -> AsyncExitStack:
        """What is opened here is closed when the process ends, whatever the outcome."""
        return self._process.resources.stack

    async def share(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:  # noqa: A002
        """What several nodes of a process use together: entered once, left when the process ends.

        `open` gives an async context manager; what that gives is returned, to all who ask with
        the same key. It learns of the failure that the process ends with, if there is one.
        """
        return await self._process.resources.share(key, open)

    async def inherited(self, key: Hashable) -> Any:
        """What the nearest process around this one shares under the key; None when none does."""
        return await self._process.resources.inherited(key)

    @property
    def leases(self) -> Leases:
        """What nodes of the runtime use together, whatever their process; see `Leases`."""
        return self._run.leases

    @property
    def recorded(self) -> bool:
        """Whether the run has a journal: then what this firing returns is there for good."""
        return not self._run.journal.silent

    def linked(self, port: str) -> bool:
        """Whether anything hangs from this out-port."""
        return port in self._vertex.routes or port in self._vertex.called

    def linked_family(self, family: str) -> list[str]:
        """The linked members of an out-port family such as `out[]`, in index order."""
        stem = family.removesuffix("[]") + "["
        names = (*self._vertex.routes, *self._vertex.called)
        return sorted(
            (name for name in names if name.startswith(stem)), key=lambda name: index(name) or 0
        )

    async def in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run a call that may block on a thread of the runtime, and return its result.

        A cancelled node does not wait for it; the thread ends when the call does.
        """
        return await self._run.in_thread(call, *arguments)

    async def syscall(self, opcode: str, payload: Payload) -> Payload:
        """Ask something of the runtime itself. Raises NodeError where it has no such call."""
        call = self._run.syscalls.get(opcode)
        if call is None:
            raise NodeError(
                f"`{opcode}` needs a resident runtime",
                code="syscall.unavailable",
                remedy="serve the graph with `penstock start`",
            )
        return await call(payload, self._run.fid)

    async def sleep(self, duration: Duration | float) -> None:
        """Wait. The deadline is journaled: a restart in between does not begin anew."""
        seconds = duration.total_seconds() if isinstance(duration, Duration) else float(duration)
        timer = f"{self.node}@{self.attempt}.{self._timers}"
        self._timers += 1
        with self._aside():
            await self._run.sleep(self.node, timer, seconds)

    async def lock(self, name: str, *, check: Check | None = None, **asked: Any) -> Payload:
        """Wait until somebody submits a candidate that is accepted, and return the answer.

        asked: what else the lock asks for; see `Context.lock`. While an action that is no
        control node waits, it holds one of the places that `max_parallel` gives out. Raises
        LockExpired, and ValueError for a schema or a duration that is none.
        """
        wanted = demand(name, **asked)
        place = f"{self.node}@{self.attempt}.{self._locks}"
        self._locks += 1

        async def decided(candidate: Candidate) -> Payload:
            return await decide(check, candidate, wanted)

        answer = await self._run.locks.ask(
            wanted, node=self.node, place=place, decide=decided, waits=self._aside
        )
        return wanted.convert(answer)


class ControlContext(NodeContext):
    """What a control node's `run` gets: it may call."""

    __slots__ = ("_calls",)

    def __init__(
        self, process: Process, vertex: Vertex, node: str, state_key: str, attempt: int
    ) -> None:
        super().__init__(process, vertex, node, state_key, attempt)
        self._calls = 0

    async def call(self, port: str, value: Payload, *, key: str | int | None = None) -> Payload:
        """Run what hangs from an out-port as a child process and return its response.

        `key` tells this call from the others of the firing, on every replay alike; the
        default is its number, which suits calls that are made one after the other.
        Nothing hangs from the port: None. Raises NodeError when the child fails.
        """
        if key is None:
            key = self._calls
            self._calls += 1
        plan = self._vertex.called.get(port)
        if plan is None:
            return None
        with self._aside():
            return await self._run.call_plan(plan, f"{self.node}[{key}]", port, value, self._process)

    async def call_nested(
        self, graph: NestedGraph, inputs: Mapping[str, Payload], *, apart: bool
    ) -> Outputs:
        """Run the graph that this node stands for, and return what leaves it.

        apart: as a child process, which ends with it; otherwise it is part of this process.
        """
        with self._aside():
            found = await self._run.call_nested(
                graph.plan, self.node, inputs, self._process, apart=apart
            )
        return {
            port: Emit(packets) if graph.out_ports[port].many else packets[0]
            for port, packets in found.items()
        }

    async def call_flow(
        self, flow: Flow, inputs: Mapping[str, Any], *, key: str | int | None = None
    ) -> Payload:
        """Run another flow to completion as a child of this run; see `call`."""
        if key is None:
            key = self._calls
            self._calls += 1
        with self._aside():
            around = self._process.resources
            return await self._run.call_flow(flow, f"{self.node}[{key}]", inputs, around=around)
