"""The catalogue in a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError
from penstock.store.catalogue.revise import revise
from penstock.store.catalogue.rows import from_columns, retired, to_columns, to_heads
from penstock.store.postgres import statements
from penstock.store.postgres.news import RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from penstock.core.catalog import Collection, Entry, RuntimeReport, Write
    from penstock.store.postgres.line import Line
    from penstock.store.postgres.news import News
    from penstock.store.postgres.reports import Reports


_NEVER: Final = "\0"
"""No text of PostgreSQL has this in it, so nothing there is called so."""


class PostgresCatalogue:
    """Specs and values in the table `catalogue`.

    Writers come one after the other, so that places become visible in order. A writer is
    at work for as many round trips as it has statements; of one that is paused half way the
    server gives up, and with it the lock, after the seconds that a line allows.

    keeping: the line that listens. Followers read on it, so that it is made anew when it broke.
    """

    def __init__(
        self, *, writing: Line, reading: Line, keeping: Line, news: News, reports: Reports
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._keeping = keeping
        self._news = news
        self._reports = reports

    async def write(self, writes: Sequence[Write], *, at: float) -> list[Entry]:
        async with self._writing as connection, connection.transaction():
            await connection.execute(statements.LOCK_CATALOGUE)
            position = await connection.fetchval(statements.POSITION)
            wanted = zip(*((w.collection, w.id, w.namespace, w.name) for w in writes), strict=True)
            heads = await connection.fetch(statements.SELECT_HEADS, *wanted) if writes else []
            entries = revise(writes, to_heads(heads), position=position, at=at)
            await connection.executemany(statements.RETIRE, retired(entries))
            await connection.executemany(statements.INSERT_ENTRY, to_columns(entries))
            if entries:
                await connection.execute(statements.NOTIFY, self._news.catalogue, "")
        return entries

    async def entries(
        self, collection: Collection, *, namespace: str | None = None, keys: Sequence[str] = ()
    ) -> list[Entry]:
        possible = [key for key in keys if _NEVER not in key]
        if _NEVER in (namespace or "") or (keys and not possible):
            return []
        return await self._select(self._reading, statements.SELECT_LIVE, collection, namespace, possible)

    async def history(self, collection: Collection, id: str) -> list[Entry]:  # noqa: A002 - the field's word
        if _NEVER in id:
            return []
        return await self._select(self._reading, statements.SELECT_HISTORY, collection, id)

    async def position(self) -> int:
        async with self._reading as connection:
            return int(await connection.fetchval(statements.POSITION))

    async def changes(self, *, after: int) -> AsyncIterator[list[Entry]]:
        with self._news.bell(self._news.catalogue) as bell:
            while True:
                bell.clear()
                try:
                    found = await self._select(self._keeping, statements.SELECT_CHANGES, after)
                except StoreError:
                    if not self._keeping.is_open:
                        raise
                    await bell.rings(within=RETRY_SECONDS)
                    continue
                if found:
                    after = found[-1].position
                    yield found
                else:
                    await bell.rings()

    async def reseal(self, seal: Callable[[bytes], bytes]) -> int:
        async with self._writing as connection, connection.transaction():
            await connection.execute(statements.LOCK_CATALOGUE)
            found = await connection.fetch(statements.SELECT_VALUES)
            sealed = [(seal(content), position) for content, position in found]
            await connection.executemany(statements.UPDATE_CONTENT, sealed)
        return len(sealed)

    async def report(self, namespace: str, body: bytes, *, at: float) -> None:
        if body:
            await self._reports.put(namespace, body, at=at)
        else:
            await self._reports.withdraw(namespace)

    async def reports(self, namespace: str) -> list[RuntimeReport]:
        return await self._reports.of(namespace)

    async def _select(self, line: Line, statement: str, *parameters: Any) -> list[Entry]:
        async with line as connection:
            return from_columns(await connection.fetch(statement, *parameters))
