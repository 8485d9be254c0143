"""Events over a websocket: one text message of JSON for each."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from penstock.host.streams.following import Following

EOF: Final = '{"type":"eof"}'

_DONE: Final = 1000
_COME_AGAIN: Final = 1012


async def talk(
    socket: WebSocket, entering: AbstractContextManager[Following], *, limit: int | None = None
) -> None:
    """Send a run's events to a client, until they end or it leaves. What it says is not heeded.

    A last message says that the run has ended; without it, the client may come again.
    limit: how many events at most.
    """
    await socket.accept()
    with entering as following:
        listening = asyncio.create_task(_listen(socket, following), name="websocket listens")
        try:
            await _send(socket, following, limit)
        except WebSocketDisconnect:
            return
        finally:
            listening.cancel()
            await asyncio.wait([listening])


async def _send(socket: WebSocket, following: Following, limit: int | None) -> None:
    transcript = following.transcript
    while not following.done and limit != 0:
        for event in (await following.take())[:limit]:
            await socket.send_text(transcript.json(event).decode())
            if limit is not None:
                limit -= 1
    if following.over and limit != 0:
        await socket.send_text(EOF)
    await socket.close(_DONE if following.over or limit == 0 else _COME_AGAIN)


async def _listen(socket: WebSocket, following: Following) -> None:
    """Notice that the client leaves, also while nothing is sent."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    following.stop()
