"""Roots: what the unrecorded root processes of a namespace share, and which there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.policies import Record
from penstock.core.spec import Settings
from penstock.engine.fid import new_fid
from penstock.engine.firing import Failure
from penstock.engine.live import LiveRun
from penstock.engine.observation import masked
from penstock.engine.observer import Outcome, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.core.payload import Error, Payload
    from penstock.engine.redaction import Redactor
    from penstock.engine.resident.entry import Entry
    from penstock.engine.resources import Resources
    from penstock.engine.runtime import Runtime


class NamespaceFlow:
    """What a run of a resident graph is a run of: its namespace. It cannot be launched."""

    source = "resident"
    revision = ""
    description = ""
    author = ""
    tags: tuple[str, ...] = ()
    output_schema: dict[str, Any] | None = None
    settings = Settings(record=Record.NONE)

    def __init__(self, namespace: str) -> None:
        self.name = self.namespace = namespace
        self.redactor: Redactor | None = None

    @property
    def input_schema(self) -> dict[str, Any]:
        return {}

    def document(self) -> dict[str, Any]:
        return {}

    def accept(self, inputs: Mapping[str, Any]) -> dict[str, Payload]:
        return dict(inputs)

    async def load(self) -> None:
        """Nothing: the table loads its nodes."""

    async def unload(self) -> None:
        """Nothing: the table unloads its nodes."""

    async def execute(self, run: LiveRun, inputs: Mapping[str, Payload]) -> Payload:
        raise NotImplementedError(f"`{self.name}` is a namespace, not a flow")

    async def execute_child(
        self,
        run: LiveRun,
        inputs: Mapping[str, Payload],
        path: str,
        *,
        around: Resources | None = None,
    ) -> Payload:
        raise NotImplementedError(f"`{self.name}` is a namespace, not a flow")


class RootProcess(msgspec.Struct, frozen=True, gc=False):
    """A root process that is under way. started: epoch seconds."""

    id: str
    node: str
    port: str
    started: float
    task: asyncio.Task[Any] | None
    live: LiveRun


class Roots:
    """Makes the runs of root processes, and knows those under way, by id."""

    def __init__(self, runtime: Runtime, namespace: str) -> None:
        self.runtime = runtime
        self.flow = NamespaceFlow(namespace)
        self.processes: dict[str, RootProcess] = {}

    def live(self, key: str) -> LiveRun:
        """The run of a new root process that a node starts."""
        runtime = self.runtime
        fid = new_fid(runtime.clock.now())
        return LiveRun(
            fid,
            self.flow,
            runtime.journal(fid, self.flow),
            clock=runtime.clock,
            probe=runtime.probe,
            threads=runtime.threads,
            leases=runtime.leases,
            prepare=runtime.revisions.prepare,
            syscalls=runtime.syscalls,
            observer=runtime.observer,
            subject=Subject(self.flow.namespace, key, fid) if runtime.observer else None,
            inspector=runtime.inspector,
        )

    @contextmanager
    def watched(self, live: LiveRun, entry: Entry, trace: str = "") -> Iterator[None]:
        """A root process that is under way within this section. Its failure goes on as it is."""
        started = live.clock.now()
        self.processes[live.fid] = RootProcess(
            live.fid, entry.key, entry.port, started, asyncio.current_task(), live
        )
        observer = self.runtime.observer
        if observer is not None:
            observer.process_began(live.subject, trace)
        outcome: Outcome = Outcome.CANCELLED
        error: Error | None = None
        began = live.clock.monotonic()
        try:
            yield
            outcome = Outcome.COMPLETED
        except Failure as failure:
            outcome, error = Outcome.FAILED, masked(failure.error, live.journal.redactor)
            raise
        finally:
            del self.processes[live.fid]
            if observer is not None:
                seconds = live.clock.monotonic() - began
                observer.process_ended(live.subject, outcome, seconds, error)

    def cancel(self, ident: str) -> bool:
        """End a process that is under way; whether there was one with this id."""
        found = self.processes.get(ident)
        if found is None or found.task is None:
            return False
        found.live.stopped = True
        found.task.cancel()
        return True
