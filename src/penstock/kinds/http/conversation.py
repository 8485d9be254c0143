"""Conversations: websockets whose messages go through a graph."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Final

from penstock.core.errors import ClientGone, PenstockError
from penstock.core.payload import Error, Payload
from penstock.kinds.http.exchange import Exchange, failed
from penstock.kinds.http.payload import payload_of
from penstock.kinds.http.reply import is_response, json_of

if TYPE_CHECKING:
    from penstock.engine.resident.entry import Fails
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.server.messages import Request, Response
    from penstock.server.websocket import WebSocket

PORTS: Final = ("connect", "message", "disconnect")

_FAILED: Final = 1011
"""The close code for "the server met something that it did not expect"."""


def wants_conversation(ctx: TriggerContext, request: Request) -> bool:
    """Whether the client asks for a websocket, and something hangs from the ports of one."""
    return request.wants_websocket and any(map(ctx.linked, PORTS))


async def converse(
    ctx: TriggerContext, request: Request, *, message_bytes: int, compress: bool
) -> Response:
    """Answer a handshake: go on as a websocket, unless what hangs from `connect` refuses.

    It refuses when it fails, or answers with a status of 400 or above.
    """
    payload = {**payload_of(request, b""), "connection": secrets.token_hex(8)}
    exchange = Exchange(ctx, "")  # what is sent over a websocket is not what Accept is about
    talk = _Conversation(ctx, payload, request.header("traceparent"))
    try:
        greeting = await talk.ask("connect", payload, fails=exchange.fails)
    except PenstockError as error:
        return exchange.failure(error)
    if greeting is not None:
        response = exchange.response(greeting)
        if response.status >= 400:
            return response
    return request.upgrade_websocket(
        functools.partial(talk.hold, greeting), compression=compress, message_bytes=message_bytes
    )


class _Conversation:
    """One websocket. Its messages are answered one after the other, in their order.

    opening: the payload of the handshake, to which every process gets its own fields.
    """

    def __init__(self, ctx: TriggerContext, opening: Mapping[str, Payload], trace: str) -> None:
        self._ctx = ctx
        self._opening = opening
        self._trace = trace

    async def ask(self, port: str, payload: Payload, *, fails: Fails | None = None) -> Payload:
        """What hangs from a port answers. Raises PenstockError when it fails."""
        answer = self._ctx.begin(port, payload, fails=fails, trace=self._trace)
        return await answer if isinstance(answer, Coroutine) else answer

    async def hold(self, greeting: Payload, socket: WebSocket) -> None:
        """Answer messages until one side leaves."""
        observer, subject = self._ctx.observer, self._ctx.subject
        if observer is not None:
            observer.websockets_open(subject, 1)
        try:
            await self._answer(greeting, socket)
            end = {"code": socket.close_code, "reason": socket.close_reason}
            await self.ask("disconnect", {**self._opening, **end})
        except PenstockError as error:
            failed(self._ctx, error, "a websocket's `disconnect` failed")
        finally:
            if observer is not None:
                observer.websockets_open(subject, -1)

    async def _answer(self, greeting: Payload, socket: WebSocket) -> None:
        try:
            await _send(socket, greeting)
            async for message in socket:
                await _send(socket, await self.ask("message", {**self._opening, "body": message}))
        except ClientGone:
            return  # `disconnect` tells of it
        except PenstockError as error:
            number = failed(self._ctx, error, "a websocket was closed")
            await socket.close(_FAILED, f"the message could not be answered; id {number}")


async def _send(socket: WebSocket, answer: Payload) -> None:
    """Send what a graph answered: text and bytes as they are, other data as JSON, None not at all."""
    if is_response(answer):
        answer = answer.get("body")
    if type(answer) is Error:
        raise answer.to_exception()
    if answer is not None:
        await socket.send(answer if isinstance(answer, str | bytes) else json_of(answer).decode())
