"""A flow of effects that are counted, and can be held up while a runtime goes away."""

from __future__ import annotations

import asyncio
from typing import Any

from penstock import NodeContext, node


class World:
    """Kinds whose effects are counted, and a gate that holds some of them up."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.keys: list[str] = []
        self.gate = asyncio.Event()

        @node("effect")
        async def effect(value: Any = None, *, held: bool = False, ctx: NodeContext) -> str:
            self.keys.append(ctx.idempotency_key)
            if held:
                await self.gate.wait()
            self.done.append(ctx.node)
            return ctx.node

        self.effect = effect


CHAIN = """
flow: chain
nodes:
  - {kind: effect, name: a, links: {out: b}}
  - {kind: effect, name: b, held: true, links: {out: c}}
  - {kind: effect, name: c}
"""
