"""The flows of `benchmarks.streams`: one that talks, and one that only waits."""

from __future__ import annotations

import asyncio

from penstock import Context, StepContext, flow, step


@step
async def talk(count: int, batch: int, pause_ms: float, ctx: StepContext) -> int:
    for number in range(1, count + 1):
        ctx.message(f"word {number}")
        if number % batch == 0:
            await asyncio.sleep(pause_ms / 1000)
    return count


@flow
async def talking(ctx: Context, count: int, batch: int = 10, pause_ms: float = 1.0) -> int:
    """Say so many words, some together and then a pause."""
    said: int = await ctx.step(talk, count, batch, pause_ms)
    return said


@flow
async def waiting(ctx: Context) -> None:
    """Wait for an hour."""
    await ctx.sleep(3600)
