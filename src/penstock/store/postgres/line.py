"""Lines: connections to the database, each made when it is first needed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import PenstockError, SettingsError, StoreError
from penstock.store.postgres.failures import store_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from penstock.store.postgres.address import Address

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
"""After which a server that does not answer counts as gone."""


class Line:
    """A connection that one user at a time has, and that is made anew after it broke.

    Within `async with line as connection`, what the driver and the network raise is a
    StoreError. on_connect: called with each new connection. lock_seconds: how long a
    statement may wait for locks of others.
    """

    def __init__(
        self,
        address: Address,
        *,
        lock_seconds: float,
        on_connect: Callable[[Any], Awaitable[None]] | None = None,
    ) -> None:
        self._address = address
        self._lock_seconds = lock_seconds
        self._on_connect = on_connect
        self._connection: Any = None
        self._lock = asyncio.Lock()
        self._open = False

    @property
    def is_open(self) -> bool:
        """Whether there may be connections: a failure will pass, and need not be the end."""
        return self._open

    def open(self) -> None:
        """Allow connections from here on."""
        self._open = True

    async def __aenter__(self) -> Any:
        await self._lock.acquire()
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
        if isinstance(error, Exception) and not isinstance(error, PenstockError):
            self._raise_known(error)

    async def close(self) -> None:
        """End the connection; there will be no other."""
        self._open = False
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            # If the server does not answer, there is nobody to take leave of.
            with contextlib.suppress(OSError, *_driver_errors()):
                await connection.close(timeout=CONNECT_SECONDS)

    async def _connect(self) -> Any:
        self._refuse_closed()
        asyncpg = driver()
        settings = {
            "application_name": "penstock",
            "search_path": self._address.schema,
            # What this server's owner prefers elsewhere: here a commit is on disk when it returns.
            "synchronous_commit": "on",
            "jit": "off",
            "lock_timeout": f"{self._lock_seconds * 1000:.0f}",
            # A client that is paused between two statements must not keep others out.
            "idle_in_transaction_session_timeout": "5000",
        }
        try:
            connection = await asyncpg.connect(
                self._address.dsn,
                timeout=CONNECT_SECONDS,
                command_timeout=ANSWER_SECONDS,
                server_settings=settings,
            )
        except Exception as error:
            self._raise_known(error)
            raise
        if self._on_connect is not None:
            try:
                await self._on_connect(connection)
            except BaseException as error:
                connection.terminate()
                if isinstance(error, Exception):
                    self._raise_known(error)
                raise
        if not self._open:  # it was closed meanwhile, and knew nothing of this one
            connection.terminate()
        self._refuse_closed()
        return connection

    def _refuse_closed(self) -> None:
        if not self._open:
            raise self._closed()

    def _closed(self) -> StoreError:
        return StoreError(
            f"the database {self._address.shown} is not open", remedy="await store.open() first"
        )

    def _raise_known(self, error: Exception) -> None:
        if isinstance(error, (OSError, *_driver_errors())):  # a timeout is an OSError, too
            # What a connection says that was closed under its user is no news of the server.
            raise (store_error(error, self._address.shown) if self._open else self._closed()) from error


def driver() -> Any:
    """The module asyncpg, which is imported when a database is first used."""
    try:
        import asyncpg
    except ModuleNotFoundError:
        raise SettingsError(
            "a PostgreSQL store needs the driver asyncpg, which is not installed",
            remedy="pip install 'penstock[postgres]'",
        ) from None
    return asyncpg


def _driver_errors() -> tuple[type[Exception], ...]:
    asyncpg = driver()
    return asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
