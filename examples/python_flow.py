"""A durable flow in plain Python: steps are journaled, retried, and never repeated once done.

penstock run examples/python_flow.py --set rivers='["Glomma", "Tana"]'
"""

from __future__ import annotations

import hashlib

from penstock import Context, flow, step


@step(retry=3, timeout="5s")
def measure(river: str) -> dict[str, str | int]:
    """Stand in for a slow look-up: the level of a river, in centimetres."""
    return {"river": river, "level": hashlib.sha256(river.encode()).digest()[0]}


@flow
async def levels(
    ctx: Context, rivers: list[str] | None = None, pause: float = 0.05
) -> dict[str, object]:
    """Measure every river at the same time, wait, and name the highest."""
    names = rivers or ["Glomma", "Tana", "Otra"]
    measured = await ctx.gather(*(ctx.step(measure, name) for name in names))
    await ctx.sleep(pause)
    highest = max(measured, key=lambda found: found["level"])
    return {"measured": len(measured), "highest": highest["river"]}
