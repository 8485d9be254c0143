"""A write transaction: all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from types import TracebackType


class Transaction:
    """Within it, this connection is the file's one writer; it commits at the end.

    IMMEDIATE, because a transaction that begins by reading cannot become a writer after
    another process has written: SQLite fails it at once, whatever the busy timeout.
    """

    __slots__ = ("_database",)

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:  # SQLite ends it by itself on some failures
                self._database.execute("ROLLBACK")
