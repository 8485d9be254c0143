"""Transactions: what the `sql` nodes of a process do together, all of it or nothing.

A process has one transaction for each database, from its first `sql` node to its end. What it
calls after that (a branch of `try`, an item of `loop`) is a process of its own, which works in a
savepoint of the same transaction: if it fails, what it did is undone, and the caller goes on.
On a connection of its own it could wait for locks that its caller holds, and its caller for it.

Savepoints are a stack, so their users take turns: a scope does one thing at a time, a node's
work or a whole child, and only the innermost scope works.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from penstock.core.errors import NodeError
from penstock.kinds.sql.connection import Connection
from penstock.kinds.sql.engine import BEGIN
from penstock.kinds.sql.failures import told
from penstock.kinds.sql.pool import Pool

if TYPE_CHECKING:
    from types import TracebackType

    import sqlalchemy as sa

T = TypeVar("T")
Work = Callable[["sa.Connection"], T]


class Transaction:
    """The transaction of a process. It takes a connection when it is first used.

    isolation: its level, or None for the database's own. lost: what it had done is gone.
    """

    def __init__(self, pool: Pool, *, isolation: str | None = None) -> None:
        self.root = self
        self.pool = pool
        self.isolation = isolation
        self.turn = asyncio.Lock()
        self.lost = False
        self._connection: Connection | None = None
        self._used = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if self.lost and error is None:
            raise self.gone()
        if connection is None:
            return
        if error is not None or not self._used:
            await self.pool.give_back(connection)
        else:
            # A commit that has begun is brought to its end, even if the process is cancelled now.
            await asyncio.shield(self.pool.own(self._commit(connection), "commit"))

    async def work(self, work: Work[T]) -> T:
        """Do a node's work. If it fails, nothing of it remains, but what was done before does."""
        async with taken(self):
            if self._used:
                return await self.call(lambda plain: _nested(plain, work))
            # The first work needs no savepoint: there is nothing yet that a rollback would undo.
            done = await self._call(lambda plain: _first(plain, self.isolation, work))
            self._used = True
            return done

    async def call(self, code: Work[T]) -> T:
        """Call code that leaves something behind. Raises NodeError `sql.connection` when it is lost."""
        if self._connection is None:
            await self._call(lambda plain: _isolate(plain, self.isolation))
        self._used = True
        return await self._call(code)

    async def _call(self, code: Work[T]) -> T:
        if self.lost:
            raise self.gone()
        if self._connection is None:
            self._connection = await self.pool.take()
        connection = self._connection
        try:
            return await connection.call(code)
        finally:
            if connection.lost:
                self._connection, self.lost = None, self._used
                await self.pool.give_back(connection)

    async def _commit(self, connection: Connection) -> None:
        try:
            with told(self.pool.shown):
                await connection.call(lambda plain: plain.commit())
        finally:
            await self.pool.give_back(connection)

    def gone(self) -> NodeError:
        return NodeError(
            f"{self.pool.shown}: the connection was lost, and with it what this process had done",
            code="sql.connection",
            remedy="repeat the whole process, with a `retry` node around it",
        )


class Savepoint:
    """What a called process does within the transaction of the process that called it."""

    def __init__(self, around: Transaction | Savepoint) -> None:
        self.root: Transaction = around.root
        self.around = around
        self.turn = asyncio.Lock()
        self._savepoint: sa.NestedTransaction

    async def __aenter__(self) -> Self:
        await _take(self.around)
        try:
            self._savepoint = await self.root.call(lambda plain: plain.begin_nested())
        except BaseException:
            self.around.turn.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The next one's turn comes when this has ended, whoever still waits for it.
        await asyncio.shield(self.root.pool.own(self._end(failed=error is not None), "savepoint"))

    async def work(self, work: Work[T]) -> T:
        """Do a node's work. If it fails, nothing of it remains, but what was done before does."""
        async with taken(self):
            return await self.root.call(lambda plain: _nested(plain, work))

    async def _end(self, *, failed: bool) -> None:
        savepoint = self._savepoint
        try:
            if failed and self.root.lost:
                return
            with told(self.root.pool.shown):
                await self.root.call(
                    lambda _: savepoint.rollback() if failed else savepoint.commit(),
                )
        except BaseException:
            self.root.lost = True  # nobody could say any more what belongs to the transaction
            raise
        finally:
            self.around.turn.release()


@asynccontextmanager
async def taken(scope: Transaction | Savepoint) -> AsyncIterator[None]:
    """A section in which nobody else works in the scope. Raises NodeError `sql.timeout`."""
    await _take(scope)
    try:
        yield
    finally:
        scope.turn.release()


async def _take(scope: Transaction | Savepoint) -> None:
    pool = scope.root.pool
    try:
        async with asyncio.timeout(pool.settings.timeout.total_seconds()):
            await scope.turn.acquire()
    except TimeoutError:
        raise NodeError(
            f"{pool.shown}: another branch of this process held the transaction for longer than "
            f"{pool.settings.timeout}",
            code="sql.timeout",
            remedy="let branches that run at the same time end sooner after their first `sql` node, "
            "raise `pool_timeout`, or set `transaction: node`",
        ) from None


async def alone(pool: Pool, work: Work[T], *, isolation: str | None) -> T:
    """Do a node's work in a transaction of its own, which is committed when this returns."""
    async with pool.connection() as connection:
        return await connection.call(lambda plain: _committed(plain, isolation, work))


async def bare(pool: Pool, work: Work[T]) -> T:
    """Do a node's work without a transaction: each statement is for good at once."""
    async with pool.connection() as connection:
        return await connection.call(lambda plain: work(_autocommitting(plain)))


def _first(plain: sa.Connection, isolation: str | None, work: Work[T]) -> T:
    _isolate(plain, isolation)
    try:
        return work(plain)
    except BaseException:
        plain.rollback()
        raise


def _nested(plain: sa.Connection, work: Work[T]) -> T:
    with plain.begin_nested():
        return work(plain)


def _committed(plain: sa.Connection, isolation: str | None, work: Work[T]) -> T:
    _isolate(plain, isolation)
    done = work(plain)
    plain.commit()
    return done


def _isolate(plain: sa.Connection, isolation: str | None) -> None:
    """Say how isolated the transaction is that will begin on this connection."""
    if isolation is None:
        return
    if plain.dialect.name == "sqlite" and isolation == "immediate":
        plain.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
    else:
        plain.execution_options(isolation_level=isolation.upper())


def _autocommitting(plain: sa.Connection) -> sa.Connection:
    if plain.dialect.name == "sqlite":
        return plain.execution_options(**{BEGIN: ""})
    return plain.execution_options(isolation_level="AUTOCOMMIT")
