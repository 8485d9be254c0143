"""Waiting for locks and submitting to them, always with a bound."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from tests.engine.watching import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from penstock.core.locks import Decision, LockRecord
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime
    from penstock.testing.clock import FakeClock


async def opened(runtime: Runtime, run: Run, name: str = "", *, count: int = 1) -> list[LockRecord]:
    """The open locks of a run, or those of one name, when there are so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            locks = await runtime.locks(run.fid)
            found = [lock for lock in locks if lock.open and name in ("", lock.name)]
            if len(found) >= count:
                return found
            await runtime.store.changed(run.fid, after=(await run.row()).seq)


async def lock_of(runtime: Runtime, run: Run, name: str = "") -> LockRecord:
    """The one open lock of a run, or of this name; waits for it."""
    (lock,) = await opened(runtime, run, name)
    return lock


async def submitted(runtime: Runtime, run: Run, lock: LockRecord, value: Any, **facts: str) -> Decision:
    """What becomes of a candidate, soon."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await runtime.submit(run.fid, lock.lid, value, **facts)


async def answered(runtime: Runtime, run: Run, value: Any, name: str = "") -> Decision:
    """Wait for the lock to be open, and submit to it."""
    return await submitted(runtime, run, await lock_of(runtime, run, name), value)


async def waits(run: Run, times: int = 1) -> None:
    """Wait until the run has said so often that it only waits."""
    said = 0
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(run.events()) as events:  # type: ignore[type-var]
        async for event in events:
            said += event.type == "run.waiting"
            if said == times:
                return
    raise AssertionError(f"the run ended, and had only waited {said} times")


async def put_aside(runtime: Runtime, clock: FakeClock) -> None:
    """Let the runs that only wait leave memory."""
    await until(lambda: clock.pending)
    clock.advance(runtime.evict_after)
    await until(lambda: not runtime.resident)
