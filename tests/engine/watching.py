"""Waiting for what a run says, always with a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.core.payload import Payload
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime
    from penstock.testing.clock import FakeClock

PATIENCE_SECONDS = 5.0


async def result_of(run: Run) -> Payload:
    """The result of a run that ends soon."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await run.result()


async def story(run: Run, *, after: int = 0) -> list[Event]:
    """Every event of a run that ends soon."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [event async for event in run.events(after=after)]


async def recorded(runtime: Runtime, run: Run) -> list[Event]:
    """What the store holds of a run now, whatever a subscriber would see of it."""
    await runtime.committer.close()
    return await runtime.store.events(run.fid)


async def seen(run: Run, kind: str, node: str = "", *, after: int = 0) -> Event:
    """The first event of this type about this node; waits for it."""
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(run.events(after=after)) as events:  # type: ignore[type-var]
        async for event in events:
            if event.type == kind and event.node == node:
                return event
    raise AssertionError(f"the run ended without `{kind}` of `{node}`")


async def until(condition: Callable[[], object]) -> None:
    """Give the loop turns until something holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0)


async def pass_time(clock: FakeClock, seconds: float) -> None:
    """Let time pass, then let everything that is due come to rest, timers of no length too."""
    clock.advance(seconds)
    for _ in range(5):
        for _ in range(10):
            await asyncio.sleep(0)
        clock.advance(0)


def lines(events: list[Event], *prefixes: str) -> list[str]:
    """Events as `type node`, those of a family (`run.`, `node.`) when prefixes are given."""
    return [
        f"{event.type} {event.node}".strip()
        for event in events
        if not prefixes or event.type.startswith(prefixes)
    ]


def data_of(events: list[Event], kind: str, node: str = "") -> list[dict[str, Any]]:
    """The data of all events of a type about a node."""
    return [event.data for event in events if event.type == kind and event.node == node]
