"""Connections: one to call plain code with, whether its driver blocks or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Code = Callable[["sa.Connection"], T]


class Connection(Protocol):
    """A connection out of a pool. It is used by one caller at a time.

    lost: what was not committed on it is gone, and it cannot be used any more.
    """

    @property
    def lost(self) -> bool: ...

    async def call(self, code: Code[T]) -> T:
        """What the code answers. When this is cancelled, what the database does is interrupted."""
        ...

    async def close(self) -> None:
        """Give it back to the pool; what was not committed is rolled back."""
        ...


class NativeConnection:
    """A connection whose driver waits on the event loop."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def lost(self) -> bool:
        connection = self._connection
        return connection.closed or connection.invalidated or _is_closed(connection.sync_connection)

    async def call(self, code: Code[T]) -> T:
        return await self._connection.run_sync(code)

    async def close(self) -> None:
        if not self._connection.closed and self.lost:
            await self._connection.invalidate()
        await self._connection.close()


class ThreadedConnection:
    """A connection whose driver blocks: it is called on threads, of which there is always one free.

    A call that is cancelled goes on in its thread until the driver heeds the interruption. The
    connection is of no use after that: nobody knows what the call did.
    """

    def __init__(self, connection: sa.Connection, threads: Executor) -> None:
        self._connection = connection
        self._threads = threads
        self._driver: Any = connection.connection.dbapi_connection
        self._abandoned: asyncio.Future[Any] | None = None

    @property
    def lost(self) -> bool:
        connection = self._connection
        return self._abandoned is not None or connection.closed or connection.invalidated

    async def call(self, code: Code[T]) -> T:
        loop = asyncio.get_running_loop()
        calling = loop.run_in_executor(self._threads, code, self._connection)
        try:
            return await asyncio.shield(calling)
        except asyncio.CancelledError:
            self._abandoned = calling
            raise

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        if self._abandoned is not None:
            await self._interrupt(self._abandoned)
        await loop.run_in_executor(self._threads, self._close)

    async def _interrupt(self, calling: asyncio.Future[Any]) -> None:
        """Bring an abandoned call to its end."""
        loop = asyncio.get_running_loop()
        patience = 0.01
        while not calling.done():
            # Again and again: an interruption between two statements is one of nothing.
            await loop.run_in_executor(None, _ask_to_stop, self._driver)
            await asyncio.wait((calling,), timeout=patience)
            patience = min(2 * patience, 1.0)
        calling.exception()  # nobody else will ask

    def _close(self) -> None:
        if self._abandoned is not None and not self._connection.invalidated:
            self._connection.invalidate()
        self._connection.close()


def _is_closed(connection: sa.Connection | None) -> bool:
    """Whether the driver knows that the connection has ended, and SQLAlchemy not yet."""
    if connection is None:
        return True
    driver = connection.connection.driver_connection
    is_closed = getattr(driver, "is_closed", None)
    return bool(is_closed()) if callable(is_closed) else False


def _ask_to_stop(driver: Any) -> None:
    """Ask a driver from another thread to give up what it is doing, where it can."""
    for name in ("interrupt", "cancel"):  # sqlite3; psycopg, oracledb
        ask = getattr(driver, name, None)
        if ask is not None:
            with suppress(Exception):  # it was done already, or is beyond help
                ask()
            return
