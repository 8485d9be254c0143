"""What observers hear of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import RequestRefused
from penstock.server.messages import Request, Response

if TYPE_CHECKING:
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.server.messages import Handler

_GONE: Final = 499
"""What the logs of servers say of a client that left before it was answered."""


class Measured:
    """A handler that tells of each request what it was, what came of it, and how long it took."""

    def __init__(self, ctx: TriggerContext, handler: Handler) -> None:
        assert ctx.observer is not None
        self._observer = ctx.observer
        self._subject = ctx.subject
        self._monotonic = ctx.clock.monotonic
        self._handler = handler

    def __call__(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        began = self._monotonic()
        response: Response | Awaitable[Response] | None = None
        status = 500
        try:
            response = self._handler(request)
        except RequestRefused as refusal:
            status = refusal.status
            raise
        finally:
            if response is None:
                self._tell(request, status, began)
        if not isinstance(response, Response):
            return self._later(request, response, began)
        self._tell(request, response.status, began, response)
        return response

    async def _later(self, request: Request, coming: Awaitable[Response], began: float) -> Response:
        response: Response | None = None
        status = 500
        self._observer.requests_open(self._subject, 1)
        try:
            response = await coming
            status = response.status
        except RequestRefused as refusal:
            status = refusal.status
            raise
        except asyncio.CancelledError:
            status = _GONE
            raise
        else:
            return response
        finally:
            self._observer.requests_open(self._subject, -1)
            self._tell(request, status, began, response)

    def _tell(
        self, request: Request, status: int, began: float, response: Response | None = None
    ) -> None:
        sent = response.body if response is not None else b""
        self._observer.request_done(
            self._subject,
            request.method,
            status,
            self._monotonic() - began,
            len(request.body_now or b""),
            len(sent) if isinstance(sent, bytes) else 0,
        )
