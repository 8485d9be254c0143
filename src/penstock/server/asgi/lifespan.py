"""How an application begins and ends."""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.core.errors import ServerError
from penstock.server.asgi.words import VERSION, AsgiApp, Message, unexpected
from penstock.server.service import LOG


class Lifespan:
    """The task in which an application holds what it opens at its start.

    state: what the application put there for its requests.
    """

    def __init__(self, app: AsgiApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self._started: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[None] | None = None

    async def startup(self) -> None:
        """Returns when the application is ready. Raises ServerError when it says that it cannot be.

        An application that knows nothing of lifespans is ready at once.
        """
        loop = asyncio.get_running_loop()
        self._started, self._stopped = loop.create_future(), loop.create_future()
        self._events.put_nowait("lifespan.startup")
        self._task = loop.create_task(self._live(), name="asgi lifespan")
        await self._started

    async def shutdown(self) -> None:
        """Returns when the application has ended. Raises ServerError when it says that it failed."""
        task, self._task = self._task, None
        if task is None or self._stopped is None:
            return
        self._events.put_nowait("lifespan.shutdown")
        try:
            await self._stopped
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _live(self) -> None:
        assert self._started is not None
        assert self._stopped is not None
        scope = {"type": "lifespan", "asgi": VERSION, "state": self.state}
        error: Exception | None = None
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as failure:
            error = failure
        if not self._started.done():
            # Such an application says so by raising, or by leaving; the standard wants it served.
            LOG.debug("the application takes no part in a lifespan", exc_info=error)
            self._started.set_result(None)
        elif error is not None and not self._stopped.done() and self._started.exception() is None:
            LOG.error("the application failed in its lifespan", exc_info=error)
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def _receive(self) -> Message:
        return {"type": await self._events.get()}

    async def _send(self, message: Message) -> None:
        assert self._started is not None
        assert self._stopped is not None
        kind = message["type"]
        moment = self._started if kind.startswith("lifespan.startup") else self._stopped
        if moment.done() or kind.rpartition(".")[2] not in ("complete", "failed"):
            raise unexpected(message, state="it was said before, or is not known")
        if kind.endswith(".complete"):
            moment.set_result(None)
        else:
            verb = "start" if moment is self._started else "stop"
            reason = message.get("message") or "it gave no reason"
            moment.set_exception(ServerError(f"the application could not {verb}: {reason}"))
