"""Journals cut short: what a crash at any moment leaves behind.

Every prefix of a run's stream is something that a killed process may have left on disk.
A test that goes on from each of them has seen every crash there is.

    events = [event async for event in run.events()]
    for length in range(1, len(events)):
        store = MemoryStore()
        fid = await plant(store, events[:length], flow)
        async with Runtime(store) as runtime:
            run = await runtime.resume(fid)
            assert await run.result() == expected
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from penstock.core.payload import decode, encode
from penstock.core.record import RunRecord
from penstock.core.states import RunState
from penstock.core.store import Batch, RunRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.events import Event
    from penstock.core.store import Store
    from penstock.engine.flow import Flow

PLANTED: Final = "00000000000planted000"
"""The fid of a planted run, unless the test chooses another."""


async def plant(store: Store, events: Sequence[Event], flow: Flow, *, fid: str = PLANTED) -> str:
    """Put a run into a store as its process left it when it died after these events.

    events: the beginning of a stream, without its terminal event. They are put down as a
    disk would have them, encoded and decoded once, whatever the store. The run belongs to
    no living process, so `Runtime.resume` goes on with it. Returns its fid.
    """
    record = RunRecord.fold(events, fid=fid)
    if record.state is RunState.PENDING or record.state.terminal:
        raise ValueError(f"a run cannot die while it is {record.state}: cut its stream elsewhere")
    batch = Batch()
    batch.runs.append(
        RunRow(
            fid=fid,
            flow=flow.name,
            source=flow.source,
            revision=flow.revision,
            state=record.state,
            wake_at=record.wake_at,
            started=record.started or 0.0,
        )
    )
    batch.events[fid] = [
        msgspec.structs.replace(event, data=decode(encode(event.data))) for event in events
    ]
    await store.open()
    await store.save_revision(flow.revision, flow.document())
    await store.commit(batch)
    return fid
