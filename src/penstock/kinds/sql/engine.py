"""Engines: how SQLAlchemy speaks with a database, with what each sort of database needs."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.core.errors import NodeError
from penstock.kinds.sql.address import read, shown
from penstock.kinds.sql.connection import Connection, NativeConnection, ThreadedConnection

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

BEGIN: Final = "penstock_begin"
"""The option of a connection that says how a transaction begins in SQLite; nothing: not at all."""

_USED: Final = "penstock.used"
"""Where a pooled connection keeps when it was last given back."""

_IDLE_SECONDS: Final = 5.0
"""After which a connection is tried before it is used again."""

_PACKAGES: Final = {
    "asyncpg": "'penstock[postgres]'",
    "sqlalchemy": "'penstock[sql]'",
    "greenlet": "'penstock[sql]'",
    "MySQLdb": "mysqlclient",
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
}
"""Module → what pip calls it, where that is another name."""


_IMPORTING: Final = threading.Lock()
"""Of threads that import at once one may see a module that is half there, and take it for missing."""


class Engine(Protocol):
    """Where connections come from, and how many there may be.

    cancellable: whether a task that waits for `connect` may be cancelled; otherwise it has to
    be waited for.
    """

    shown: str
    size: int
    cancellable: bool

    async def connect(self) -> Connection: ...

    async def close(self) -> None: ...


def load_driver(address: str) -> URL:
    """The address as SQLAlchemy takes it; what it takes to connect there is imported.

    That takes a while the first time. Raises NodeError `sql.url` or `sql.driver`.
    """
    with _IMPORTING:
        return _load_driver(address)


def _load_driver(address: str) -> URL:
    try:
        from sqlalchemy.exc import NoSuchModuleError

        url = read(address)
        try:
            dialect = url.get_dialect()
        except NoSuchModuleError:
            raise NodeError(
                f"there is no driver `{url.drivername}` for databases",
                code="sql.driver",
                remedy="check the beginning of `url`, or install the package that brings this driver",
            ) from None
        dialect.import_dbapi()
        if dialect.is_async:
            import_module("greenlet")  # SQLAlchemy looks for it late, and says less
            import_module("sqlalchemy.ext.asyncio")
    except ImportError as error:
        module = (error.name or "sqlalchemy").partition(".")[0]
        raise NodeError(
            f"the package `{module}` is needed to reach this database, and not installed",
            code="sql.driver",
            remedy=f"pip install {_PACKAGES.get(module, module)}",
        ) from error
    return url


def open_engine(url: URL, *, size: int, on_connect: tuple[str, ...]) -> Engine:
    """The engine for a database whose driver is loaded; nothing connects yet."""
    kind = _NativeEngine if url.get_dialect().is_async else _ThreadedEngine
    return kind(url, size, on_connect)


class _NativeEngine:
    """An engine whose driver waits on the event loop."""

    cancellable = True

    def __init__(self, url: URL, size: int, on_connect: tuple[str, ...]) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import AsyncAdaptedQueuePool

        self.shown = shown(url)
        self.size = size
        self._engine: AsyncEngine = create_async_engine(
            url, poolclass=AsyncAdaptedQueuePool, **_options(size)
        )
        _prepare(self._engine.sync_engine, on_connect)

    async def connect(self) -> Connection:
        return NativeConnection(await self._engine.connect())

    async def close(self) -> None:
        await self._engine.dispose()


class _ThreadedEngine:
    """An engine whose driver blocks, with a thread for each connection.

    The threads are its own: a connection that holds a lock must never wait for a thread behind
    others which wait for that lock.
    """

    cancellable = False

    def __init__(self, url: URL, size: int, on_connect: tuple[str, ...]) -> None:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import QueuePool

        sqlite = url.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {}
        if sqlite:
            arguments["check_same_thread"] = False
        self.shown = shown(url)
        # Each connection to a database in memory would have one of its own.
        self.size = 1 if sqlite and url.database in (None, "", ":memory:") else size
        self._engine = create_engine(
            url,
            poolclass=QueuePool,
            connect_args=arguments,
            **_options(self.size),
        )
        _prepare(self._engine, on_connect)
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="penstock-sql")

    async def connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        connection = await loop.run_in_executor(self._threads, self._engine.connect)
        return ThreadedConnection(connection, self._threads)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.dispose)
        self._threads.shutdown(wait=True)


def _options(size: int) -> dict[str, Any]:
    # The newest first: what is not needed any more is what a server may have dropped.
    return {
        "pool_size": size,
        "max_overflow": 0,
        "pool_use_lifo": True,
        "hide_parameters": True,
    }


def _prepare(engine: sa.Engine, on_connect: tuple[str, ...]) -> None:
    """Hook in what each new connection needs, and how a transaction begins."""
    from sqlalchemy import event

    sqlite = engine.dialect.name == "sqlite"

    def connected(driver: Any, _: Any) -> None:
        if sqlite:
            # Python's module would begin transactions by itself: not before a SELECT, a
            # SAVEPOINT or a CREATE, which then would not belong to it.
            driver.isolation_level = None
        if not on_connect:
            return
        cursor = driver.cursor()
        for statement in on_connect:
            cursor.execute(statement)
        cursor.close()
        driver.commit()

    def begin(connection: sa.Connection) -> None:
        word = connection.get_execution_options().get(BEGIN, "BEGIN")
        if word:
            connection.exec_driver_sql(word)

    event.listen(engine, "connect", connected)
    if sqlite:
        event.listen(engine, "begin", begin)
    else:
        _look_after(engine)


def _look_after(engine: sa.Engine) -> None:
    """Replace connections that a server has ended meanwhile, before anybody gets them.

    SQLAlchemy's own way asks the server each time, which costs as much as a whole transaction.
    """
    from sqlalchemy import event
    from sqlalchemy.exc import DisconnectionError

    def checked_in(_: Any, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    def checked_out(driver: Any, record: Any, _: Any) -> None:
        is_closed = getattr(record.driver_connection, "is_closed", None)
        if is_closed is not None and is_closed():
            raise DisconnectionError
        now = time.monotonic()
        if now - record.info.get(_USED, now) > _IDLE_SECONDS:
            try:
                engine.dialect.do_ping(driver)
            except Exception as error:
                raise DisconnectionError from error

    event.listen(engine, "checkin", checked_in)
    event.listen(engine, "checkout", checked_out)
