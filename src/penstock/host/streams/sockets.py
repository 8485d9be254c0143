"""Events over a websocket: one text message of JSON for each."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from starlette.websockets import WebSocketDisconnect

from penstock.core.errors import StoreError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from starlette.websockets import WebSocket

    from penstock.host.streams.following import Following

LOG: Final = logging.getLogger("penstock.host")

EOF: Final = '{"type":"eof"}'

_DONE: Final = 1000
_GOING_AWAY: Final = 1001
_NO_RIGHT: Final = 1008
_TRY_LATER: Final = 1013


async def talk(socket: WebSocket, entering: AbstractContextManager[Following]) -> None:
    """Send a run's events to a client, until they end or it leaves. What it says is not heeded.

    A last message says that the run has ended; without it, the client may come again.
    """
    await socket.accept()
    with entering as following:
        listening = asyncio.create_task(_listen(socket, following), name="websocket listens")
        try:
            await _send(socket, following)
        except WebSocketDisconnect:
            return
        except StoreError as error:
            LOG.warning("a websocket of events is closed: %s", error)
            await socket.close(_TRY_LATER)
        finally:
            listening.cancel()
            await asyncio.wait([listening])


async def _send(socket: WebSocket, following: Following) -> None:
    while not following.done:
        for event in await following.take():
            await socket.send_text(following.transcript.json(event).decode())
    if following.over:
        await socket.send_text(EOF)
    await socket.close(_DONE if following.reached else _GOING_AWAY if following.stands() else _NO_RIGHT)


async def _listen(socket: WebSocket, following: Following) -> None:
    """Notice that the client leaves, also while nothing is sent."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    following.stop()
