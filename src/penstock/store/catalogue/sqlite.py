"""The catalogue in a SQLite file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from penstock.core.catalog import RuntimeReport
from penstock.core.errors import StoreLocked
from penstock.store import statements
from penstock.store.catalogue.revise import revise
from penstock.store.catalogue.rows import from_columns, retired, to_columns, to_heads
from penstock.store.transaction import Transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from penstock.core.catalog import Collection, Entry, Write
    from penstock.store.bells import Bells
    from penstock.store.catalogue.revise import Head
    from penstock.store.failures import Guard
    from penstock.store.owners import Owners


class SqliteCatalogue:
    """Specs and values in the table `catalogue`, and what runtimes say of them in `reports`.

    As in all of this store, nothing suspends. Places are given out while the file's one write
    lock is held, so they become visible in order. A bell is rung after each commit; a writer
    that dies in between is found by a look.
    """

    def __init__(
        self, database: Callable[[], sqlite3.Connection], *, guard: Guard, owners: Owners, bells: Bells
    ) -> None:
        self._database = database
        self._guard = guard
        self._owners = owners
        self._bells = bells

    async def write(self, writes: Sequence[Write], *, at: float) -> list[Entry]:
        database = self._database()
        with self._guard, Transaction(database):
            (position,) = database.execute(statements.POSITION).fetchone()
            entries = revise(writes, self._heads(writes), position=position, at=at)
            database.executemany(statements.RETIRE, retired(entries))
            database.executemany(statements.INSERT_ENTRY, to_columns(entries))
        if entries:
            self._bells.ring()
        return entries

    def _heads(self, writes: Sequence[Write]) -> Iterator[Head]:
        for write in writes:
            for statement in (statements.SELECT_HEAD, statements.SELECT_HOLDER):
                yield from to_heads(self._database().execute(statement, _named(write)))

    async def entries(
        self, collection: Collection, *, namespace: str | None = None, keys: Sequence[str] = ()
    ) -> list[Entry]:
        named = {"collection": collection, "namespace": namespace, "keys": json.dumps(list(keys))}
        where = "" if namespace is None else statements.OF_NAMESPACE
        where += statements.OF_KEYS if keys else ""
        return self._select(statements.SELECT_LIVE + where + statements.IN_ORDER, named)

    async def history(self, collection: Collection, id: str) -> list[Entry]:  # noqa: A002 - the field's word
        return self._select(statements.SELECT_HISTORY, (collection, id))

    async def position(self) -> int:
        with self._guard:
            (position,) = self._database().execute(statements.POSITION).fetchone()
        return int(position)

    async def changes(self, *, after: int) -> AsyncIterator[list[Entry]]:
        with self._bells.bell() as bell:
            while True:
                bell.clear()
                try:
                    found = self._select(statements.SELECT_CHANGES, (after,))
                except StoreLocked:
                    found = []  # they wait until it can be read
                if found:
                    after = found[-1].position
                    yield found
                else:
                    await bell.rings(self._bells.patience)

    async def reseal(self, seal: Callable[[bytes], bytes]) -> int:
        database = self._database()
        with self._guard, Transaction(database):
            found = database.execute(statements.SELECT_VALUES).fetchall()
            sealed = [(seal(content), position) for content, position in found]
            database.executemany(statements.UPDATE_CONTENT, sealed)
        return len(sealed)

    async def report(self, namespace: str, body: bytes, *, at: float) -> None:
        database = self._database()
        with self._guard, Transaction(database):
            known = [name for (name,) in database.execute(statements.REPORTERS)]
            dead = [(name,) for name in known if not self._owners.alive(name)]
            database.executemany(statements.DELETE_REPORTS, dead)
            if body:
                database.execute(statements.PUT_REPORT, (self._owners.own(), namespace, at, body))
            else:
                database.execute(statements.DELETE_REPORT, (self._owners.name, namespace))

    async def reports(self, namespace: str) -> list[RuntimeReport]:
        with self._guard:
            found = self._database().execute(statements.SELECT_REPORTS, (namespace,)).fetchall()
            return [
                RuntimeReport(owner=owner, at=at, body=body)
                for owner, at, body in found
                if self._owners.alive(owner)
            ]

    def _select(self, statement: str, parameters: Any) -> list[Entry]:
        with self._guard:
            return from_columns(self._database().execute(statement, parameters))


def _named(write: Write) -> dict[str, str]:
    return {
        "collection": write.collection,
        "namespace": write.namespace,
        "id": write.id,
        "name": write.name,
    }
