"""A websocket as its handler sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from penstock.server.messages import Request

if TYPE_CHECKING:
    from penstock.server.conversation import Conversation


class WebSocket:
    """Messages of a client, and a way to send it some.

        async def converse(socket: WebSocket) -> None:
            async for message in socket:
                await socket.send(message)

    request: what it began with. Text is str, and binary messages are bytes.
    """

    def __init__(self, conversation: Conversation, request: Request) -> None:
        self.request = request
        self._conversation = conversation

    @property
    def subprotocol(self) -> str:
        """What client and server agreed to speak, or ""."""
        return self._conversation.subprotocol

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._conversation.closed

    @property
    def close_code(self) -> int | None:
        """Why the client closed it: 1000 and 1001 are friendly, 1006 means that it just vanished.

        None while it has not.
        """
        return self._conversation.close_code

    @property
    def close_reason(self) -> str:
        """What the client said about it, if anything."""
        return self._conversation.close_reason

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages as they come. Ends when the client closes, or is gone.

        While nobody asks for the next one, the client is not read from for long.
        """
        while (message := await self._conversation.next_message()) is not None:
            yield message

    async def send(self, message: str | bytes) -> None:
        """Send a message; returns when the client has taken most of what was sent.

        Raises ClientGone when it is closed, by whomever.
        """
        await self._conversation.send(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, and wait a few seconds at most for the client to do so.

        code: 1000, 1001, 1003, 1008 to 1014, or 3000 to 4999 for what the two have agreed on.
        reason: at most 123 bytes. Raises ValueError for others.
        """
        await self._conversation.close(code, reason)
