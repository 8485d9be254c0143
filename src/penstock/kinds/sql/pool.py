"""Pools: the connections of a runtime to one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.kinds.sql.connection import Connection
from penstock.kinds.sql.engine import open_engine
from penstock.kinds.sql.failures import told

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

T = TypeVar("T")


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that say the same here use one pool.

    timeout: how long to wait for a connection that others have. connect_timeout: for a new one
    to be there. on_connect: statements that each new one begins with.
    """

    url: str
    size: int
    timeout: Duration
    connect_timeout: Duration
    on_connect: tuple[str, ...] = ()


class Pool:
    """At most `size` connections, opened as they are needed: first come, first served."""

    def __init__(self, settings: PoolSettings, url: URL) -> None:
        self.settings = settings
        self._engine = open_engine(url, size=settings.size, on_connect=settings.on_connect)
        self.shown = self._engine.shown
        self._free = asyncio.Semaphore(self._engine.size)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._taken = 0
        self._closed = False

    async def take(self) -> Connection:
        """A connection, which must be given back. Raises NodeError `sql.timeout` or `sql.connect`."""
        await self._wait_for_room()
        if self._closed:
            self._free.release()
            raise NodeError(
                f"{self.shown}: the node was taken away while this process went on with it",
                code="sql.connection",
                remedy="repeat the process: it will find what took the node's place",
            )
        self._taken += 1
        connecting = self.own(self._engine.connect(), "connect")
        limit = self.settings.connect_timeout
        try:
            async with asyncio.timeout(limit.total_seconds()):
                with told(self.shown, connecting=True):
                    return await asyncio.shield(connecting)
        except BaseException as error:
            self.own(self._forgo(connecting), "forgo")
            if isinstance(error, TimeoutError):
                raise NodeError(
                    f"{self.shown}: no connection within {limit}",
                    code="sql.timeout",
                    remedy="check that the database can be reached, or raise `connect_timeout`",
                ) from None
            raise

    async def give_back(self, connection: Connection) -> None:
        """Roll back what is not committed; that goes on if whoever waits for it is cancelled.

        Nobody waits for what is lost: its driver may still be busy with what was given up.
        """
        closing = self.own(self._give_back(connection), "close")
        if not connection.lost:
            await asyncio.shield(closing)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for a section; what is not committed at its end is rolled back."""
        connection = await self.take()
        try:
            yield connection
        finally:
            await self.give_back(connection)

    def own(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task of this pool, which goes on when whoever waits for it is cancelled."""
        task = asyncio.get_running_loop().create_task(work, name=f"sql:{name}:{self.shown}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Close every connection; those that are taken, when they are given back."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._closed = True
        if not self._taken:
            await self._engine.close()

    async def _wait_for_room(self) -> None:
        limit = self.settings.timeout
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self._free.acquire()
        except TimeoutError:
            raise NodeError(
                f"{self.shown}: none of the {self._engine.size} connections became free within {limit}",
                code="sql.timeout",
                remedy="raise `pool_size` or `pool_timeout`; a process keeps its own to its end",
            ) from None

    async def _forgo(self, connecting: asyncio.Task[Connection]) -> None:
        """Nobody wants this connection any more."""
        try:
            if self._engine.cancellable:
                connecting.cancel()
            await asyncio.wait((connecting,))
            if not connecting.cancelled() and connecting.exception() is None:
                await connecting.result().close()
        finally:
            await self._returned()

    async def _give_back(self, connection: Connection) -> None:
        try:
            await connection.close()
        finally:
            await self._returned()

    async def _returned(self) -> None:
        self._taken -= 1
        self._free.release()
        if self._closed and not self._taken:
            await self._engine.close()
