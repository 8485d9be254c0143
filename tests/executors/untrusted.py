"""A module that must not be imported by a host: it changes its process."""

from __future__ import annotations

import os

from penstock import Context, flow

os.environ["IMPORTED_UNTRUSTED"] = "yes"


@flow(author="Eve", tags=["strange"])
async def strange(ctx: Context, number: int, *, factor: int = 2) -> dict[str, int]:
    """Multiply, in a strange way."""
    return {"product": number * factor}


@flow
async def stranger(ctx: Context) -> str:
    answer: str = await ctx.lock("approve", schema={"type": "string"})
    return answer
