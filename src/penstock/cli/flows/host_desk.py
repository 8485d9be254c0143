"""Flows of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.api import FlowView
    from penstock.client import AsyncClient


class HostFlows:
    """The flows that a host shows to whoever asks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def flows(self, *, tag: str = "") -> list[FlowView]:
        return [flow async for flow in self._client.flows(tag=tag)]

    async def flow(self, name: str) -> FlowView:
        return await self._client.flow(name)
