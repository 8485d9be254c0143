"""Waiting for a time, by a clock that a test may be the master of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.core.clock import Clock


async def pause(clock: Clock, seconds: float) -> None:
    """Return after so many seconds."""
    due = asyncio.Event()
    timer = clock.call_later(seconds, due.set)
    try:
        await due.wait()
    finally:
        timer.cancel()
