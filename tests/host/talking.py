"""A flow that says what a test tells it to, and clients that listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from httpx_sse import EventSource, ServerSentEvent, aconnect_sse

from penstock import Context, StepContext, flow, step
from penstock.engine.flow import Flow
from penstock.engine.run import Run

if TYPE_CHECKING:
    import httpx
    from tests.host.hosted import Hosted

PATIENCE_SECONDS = 10.0


class Talk:
    """A flow `talk` whose step `talk` says words as they are put in; None ends it."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[str | None] = asyncio.Queue()
        self.flow: Flow = self._flow()

    def say(self, *words: str | None) -> None:
        for word in words:
            self._words.put_nowait(word)

    def _flow(self) -> Flow:
        words = self._words

        @step
        async def talk(ctx: StepContext) -> int:
            said = 0
            while (word := await words.get()) is not None:
                ctx.message(word)
                said += 1
            return said

        @flow(name="talk")
        async def talking(ctx: Context) -> int:
            said: int = await ctx.step(talk)
            return said

        return talking

    async def begin(self, served: Hosted) -> Run:
        """A run that has said nothing yet."""
        return await served.runtime.launch(self.flow)


class Listener:
    """A client's end of a stream of server-sent events."""

    def __init__(self, source: EventSource) -> None:
        self.response = source.response
        self._source = source
        self._frames = source.aiter_sse()

    async def next(self) -> ServerSentEvent:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self._frames)

    async def rest(self) -> list[ServerSentEvent]:
        """All frames until the stream ends."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [frame async for frame in self._frames]


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, fid: str, *, headers: dict[str, str] | None = None, **query: Any
) -> AsyncIterator[Listener]:
    url = f"/api/v1/runs/{fid}/events"
    async with aconnect_sse(client, "GET", url, params=query, headers=headers or {}) as source:
        yield Listener(source)


def said(frames: list[ServerSentEvent]) -> list[str]:
    """The words in the messages among some frames."""
    events = [json.loads(frame.data) for frame in frames]
    return [event["message"] for event in events if event["type"] == "node.message"]


def words(count: int, first: int = 0) -> list[str]:
    return [f"word {number}" for number in range(first, first + count)]
