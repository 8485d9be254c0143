"""Words left for runs, and how they reach the runtime that owns one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.errors import StoreError
from penstock.store import rows, statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable

    from penstock.store.bells import Bells
    from penstock.store.failures import Guard
    from penstock.store.owners import Owners


class Words:
    """The words of a SQLite store. database: the connection, or StoreError when there is none."""

    def __init__(
        self, database: Callable[[], sqlite3.Connection], *, guard: Guard, owners: Owners, bells: Bells
    ) -> None:
        self._database = database
        self._guard = guard
        self._owners = owners
        self._bells = bells

    def leave(self, fid: str, signal: str) -> None:
        database, word = self._database(), {"fid": fid, "signal": rows.well_formed(signal)}
        with self._guard:
            if database.execute(statements.TAIL, (fid,)).fetchone() is None:
                raise StoreError(f"word for run {fid}, which is not there", fid=fid)
            left = database.execute(statements.INSERT_SIGNAL, word).rowcount
        if left:
            self._bells.ring()

    async def hear(self) -> AsyncIterator[tuple[str, str]]:
        with self._bells.bell() as bell:
            while True:
                bell.clear()
                found = self._own()
                for key, fid, signal in found:
                    yield fid, signal
                    with self._guard:
                        self._database().execute(statements.DELETE_SIGNAL, (key,))
                if not found:
                    await bell.rings(self._bells.patience)

    def _own(self) -> list[tuple[int, str, str]]:
        with self._guard:
            owner = self._owners.own()
            return self._database().execute(statements.SELECT_SIGNALS, (owner,)).fetchall()
