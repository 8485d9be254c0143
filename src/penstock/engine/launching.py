"""How a run comes into being: its row and its first events on disk, and then its execution."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import KeyTaken, StoreAway
from penstock.core.events import Event, EventType
from penstock.core.states import RunState
from penstock.core.store import INLINE, RunRow
from penstock.engine.attachment import Fill
from penstock.engine.locks.initial import Given
from penstock.engine.observer import Subject
from penstock.engine.replay import Replay
from penstock.engine.run import Run

if TYPE_CHECKING:
    from penstock.engine.flow import Flow
    from penstock.engine.ownership import Ownership
    from penstock.engine.recovery import Recovery
    from penstock.engine.runtime import Runtime


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """What a run begins with, beside its flow.

    given: the inputs, as the flow has accepted them, and those it has yet to ask for. launcher,
    key: see RunRow. trace: the W3C `traceparent` that it belongs to. facts: what else its first
    event says. past: what another run has done, which this one need not do again. fill: puts
    files into its folder, before the run is there.
    """

    fid: str
    given: Given
    launcher: str = ""
    key: str = ""
    trace: str = ""
    facts: Mapping[str, Any] = {}
    past: tuple[Event, ...] = ()
    fill: Fill | None = None


class Launching:
    """Begins the runs of a runtime."""

    def __init__(self, runtime: Runtime, *, recovery: Recovery, ownership: Ownership) -> None:
        self._runtime = runtime
        self._recovery = recovery
        self._ownership = ownership

    async def begin(self, flow: Flow, beginning: Beginning) -> Run:
        """Begin a run, or find the one that was begun with its key. Either is on disk then."""
        if beginning.fill is None:
            return await self._begin_once(flow, beginning)
        folder = self._runtime.folders.of(beginning.fid)
        needed = False
        try:
            await asyncio.to_thread(beginning.fill, folder)
            run = await self._begin_once(flow, beginning)
            needed = run.fresh
        except StoreAway:
            needed = True  # the run may have come into being all the same
            raise
        finally:
            if not needed:
                await asyncio.to_thread(folder.remove)
        return run

    async def _begin_once(self, flow: Flow, beginning: Beginning) -> Run:
        while True:
            try:
                return await self._begin(flow, beginning)
            except KeyTaken:
                found = await self._runtime.store.launched(beginning.key)
                # What was to have it in the same commit may have failed in the next moment.
                if found is not None:
                    return Run(self._runtime, found.fid)

    async def _begin(self, flow: Flow, beginning: Beginning) -> Run:
        runtime, fid = self._runtime, beginning.fid
        runtime.refuse_closed()
        self._ownership.follow()
        await runtime.revisions.prepare(flow, load=runtime.executors.here(flow))
        now = runtime.clock.now()
        journal = runtime.journal(fid, flow)
        row = RunRow(
            fid=fid,
            flow=flow.name,
            source=flow.source,
            revision=flow.revision,
            state=RunState.RUNNING,
            owner=runtime.store.owner,
            started=now,
            namespace=flow.namespace,
            launcher=beginning.launcher,
            executor=flow.settings.executor,
            key=beginning.key,
        )
        if not journal.silent:
            journal.create(row)
        trace = beginning.trace
        if not trace and runtime.observer is not None:
            trace = runtime.observer.traceparent()
        journal.emit(EventType.RUN_STARTED, "", _started(flow, beginning, trace))
        for event in beginning.past:
            journal.emit(event.type, event.node, event.data)
        try:
            await journal.durable()
        except StoreAway:
            self._recovery.await_store(fid)  # it may have come into being all the same
            raise
        if runtime.observer is not None:
            runtime.observer.run_started(Subject(flow.namespace, flow.name, fid))
        replay = Replay.fold(beginning.past, repeats=True) if beginning.past else None
        execution = runtime.execute(
            flow, journal, beginning.given, started=now, replay=replay, trace=trace
        )
        return Run(runtime, fid, outcome=execution.outcome, begun=row)


def _started(flow: Flow, beginning: Beginning, trace: str) -> dict[str, Any]:
    """What `run.started` says; that nobody launched it, or that it runs here, goes without saying."""
    started = {
        "flow": flow.name,
        "revision": flow.revision,
        "inputs": dict(beginning.given.inputs),
        **beginning.facts,
    }
    if beginning.given.edited:
        started["edited"] = dict(beginning.given.edited)
    if beginning.given.missing:
        started["missing"] = list(beginning.given.missing)
    if beginning.launcher:
        started["launcher"] = beginning.launcher
    if flow.settings.executor != INLINE:
        started["executor"] = flow.settings.executor
    if trace:
        started["trace"] = trace
    return started
