"""Recorded root processes: what a durable trigger starts, as runs of a flow of their own.

What hangs from a port is compiled once more as a flow: its entry stands for the trigger, and
its nodes are instances of its own, so that the run goes on with exactly this revision,
whatever becomes of the graph, in this process or in the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec

from penstock.core.errors import RunCancelled, RunFailed, RunSuspended, RunTimeout
from penstock.core.graph import preorder
from penstock.core.payload import Error, Payload
from penstock.core.spec import FlowSpec, Link, NodeSpec
from penstock.engine.binding import Binder
from penstock.engine.compiler import compile_spec
from penstock.engine.resident.heads import CatchingHead, Head

if TYPE_CHECKING:
    from penstock.core.spec import EnvRef
    from penstock.engine.flow import Flow, GraphFlow
    from penstock.engine.resident.entry import Entry
    from penstock.engine.resident.symbol import Symbol
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime
    from penstock.engine.scheme import Scheme


class Recorder:
    """Starts the recorded processes of a namespace.

    symbols: the active ones. ambient, values: what specs are compiled with. find: the flows
    that their nodes call.
    """

    def __init__(
        self,
        runtime: Runtime,
        namespace: str,
        *,
        scheme: Scheme,
        symbols: Callable[[], Mapping[str, Symbol]],
        ambient: Mapping[str, EnvRef],
        values: Callable[[], Mapping[str, Payload]],
        find: Callable[[str, Binder], Flow],
    ) -> None:
        self.runtime = runtime
        self._namespace = namespace
        self._scheme = scheme
        self._symbols = symbols
        self._ambient = ambient
        self._values = values
        self._find = find
        self._flows: WeakKeyDictionary[Entry, GraphFlow] = WeakKeyDictionary()
        self._waiting: set[asyncio.Task[Payload]] = set()
        self._released: set[asyncio.Task[Payload]] = set()

    def name(self, entry: Entry) -> str:
        """The name under which the runs of an entry are listed."""
        port = "" if entry.port == "out" else f".{entry.port}"
        return f"{self._namespace}/{entry.key}{port}"

    async def launch(
        self, entry: Entry, payload: Payload, *, fid: str | None = None, trace: str = ""
    ) -> Run:
        """Start a run. Returns when it is on disk. Raises RunExists when `fid` is taken."""
        flow = self._flow(entry)
        run = await self.runtime.launch(flow, {"in": payload}, fid=fid, trace=trace)
        entry.running += 1
        self.runtime.own(self._wait_for(run, entry), f"penstock:{self.name(entry)}")
        return run

    async def answer(
        self, entry: Entry, payload: Payload, *, outlives: Callable[[], bool], trace: str = ""
    ) -> Payload:
        """Start a run, and return its result. To be cancelled is to cancel it.

        Raises NodeError, or RunSuspended when it was let go while the run goes on.

        outlives: whether it goes on all the same, as who asks is cancelled for reasons of its own.
        """
        run = await self.launch(entry, payload, trace=trace)
        waiting = asyncio.current_task()
        assert waiting is not None
        self._waiting.add(waiting)
        try:
            return await run.result()
        except RunFailed as failure:
            error: Error = failure.error
            raise error.to_exception() from failure
        except (RunCancelled, RunTimeout) as failure:
            raise Error.from_exception(failure, node=entry.key).to_exception() from failure
        except asyncio.CancelledError:
            if waiting in self._released:
                waiting.uncancel()
                raise _put_aside(run.fid) from None
            if not outlives():
                await asyncio.shield(run.cancel("whoever asked for it has gone"))
            raise
        finally:
            self._waiting.discard(waiting)
            self._released.discard(waiting)

    def release(self) -> bool:
        """Let go whoever waits for a run, which goes on; whether there was anybody."""
        self._released |= self._waiting
        for waiting in self._waiting:
            waiting.cancel()
        return bool(self._waiting)

    def knows(self, entry: Entry) -> bool:
        """Whether there is a flow for an entry."""
        return entry in self._flows

    async def retire(self, entry: Entry) -> None:
        """Let go of the flow of an entry that leads nowhere any more."""
        flow = self._flows.pop(entry, None)
        if flow is not None:
            await self.runtime.revisions.retire(flow)

    async def _wait_for(self, run: Run, entry: Entry) -> None:
        try:
            await self.runtime.ended(run.fid)
        finally:
            entry.left()

    def _flow(self, entry: Entry) -> GraphFlow:
        flow = self._flows.get(entry)
        if flow is None:
            flow = self._flows[entry] = self._compile(entry)
        return flow

    def _compile(self, entry: Entry) -> GraphFlow:
        symbols = self._symbols()
        trigger = symbols[entry.key]
        links = [each for each in trigger.links if each.port in (entry.port, "error")]
        edges = {key: [each.node for each in symbol.links] for key, symbol in symbols.items()}
        reached = preorder(edges, dict.fromkeys(each.node for each in links))
        spec = FlowSpec(
            name=self.name(entry),
            namespace=self._namespace,
            nodes=(_head(trigger, links), *(_inner(symbols[key]) for key in reached)),
            env=dict(self._ambient),
        )
        return compile_spec(spec, self._scheme, binder=Binder(self._find), values=self._values())


def _put_aside(fid: str) -> RunSuspended:
    """What somebody is told who waits for a run that goes on when the runtime is back."""
    return RunSuspended("the runtime stops; what was begun goes on when it is back", fid=fid)


def _head(trigger: Symbol, links: list[Link]) -> NodeSpec:
    """The node that stands for the trigger: it passes its payload on, and catches what fails."""
    catches = any(each.port == "error" for each in links)
    return NodeSpec(
        kind=CatchingHead.kind if catches else Head.kind,
        name=trigger.key,
        links=tuple(
            msgspec.structs.replace(each, port="error" if each.port == "error" else "out", at=())
            for each in links
        ),
        timeout=trigger.spec.timeout,
    )


def _inner(symbol: Symbol) -> NodeSpec:
    """A node of the graph as one of the flow; its name is what links call it."""
    links = tuple(msgspec.structs.replace(each, at=()) for each in symbol.links)
    return msgspec.structs.replace(symbol.spec, name=symbol.key, links=links, at=(), config_at=())
