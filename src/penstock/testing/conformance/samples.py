"""What the tests of a store write into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from penstock.core.events import Event
from penstock.core.states import RunState
from penstock.core.store import Batch, RunRow, Store

PATIENCE_SECONDS = 10.0

StoreFactory = Callable[[], Store]


def fid(number: int) -> str:
    """A run id; a higher number is a later run."""
    return f"01J{number:023d}"


def batch_of(*rows: RunRow, **events: list[Event]) -> Batch:
    """A batch of new runs, and of events by fid."""
    batch = Batch()
    batch.runs.extend(rows)
    batch.events.update(events)
    return batch


def run_row(number: int, **fields: Any) -> RunRow:
    """The row of a run that is under way."""
    usual: dict[str, Any] = {
        "fid": fid(number),
        "flow": "zen",
        "state": RunState.RUNNING,
        "started": 1e9 + number,
    }
    return RunRow(**usual | fields)


def events(first: int, last: int, **data: Any) -> list[Event]:
    """Events with these seqs."""
    return [Event(seq, 1e9 + seq, "node.completed", f"n{seq}", data) for seq in range(first, last + 1)]


@asynccontextmanager
async def opened(factory: StoreFactory) -> AsyncIterator[Store]:
    store = factory()
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def seqs(store: Store, number: int, **options: Any) -> list[int]:
    return [event.seq for event in await store.events(fid(number), **options)]


@asynccontextmanager
async def views(factory: StoreFactory, count: int) -> AsyncIterator[list[Store]]:
    """As many stores on the same data; of one that is not durable, the same one each time."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(factory))]
        while len(stores) < count:
            durable = stores[0].durable
            stores.append(await stack.enter_async_context(opened(factory)) if durable else stores[0])
        yield stores
