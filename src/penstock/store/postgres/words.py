"""Words left for runs, and how they reach the runtime that owns one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from penstock.core.errors import StoreError
from penstock.store import rows
from penstock.store.postgres import statements
from penstock.store.postgres.news import RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.store.postgres.lease import Lease
    from penstock.store.postgres.line import Line
    from penstock.store.postgres.news import News


class Words:
    """The words of a PostgreSQL store. keeping: the line that listens."""

    def __init__(self, *, writing: Line, keeping: Line, lease: Lease, news: News) -> None:
        self._writing = writing
        self._keeping = keeping
        self._lease = lease
        self._news = news

    async def leave(self, fid: str, signal: str) -> None:
        word = rows.well_formed(signal)
        async with self._writing as connection:
            found = await connection.fetch(statements.INSERT_SIGNAL, fid, word, self._news.signals)
        if not found:
            raise StoreError(f"word for run {fid}, which is not there", fid=fid)

    async def hear(self) -> AsyncIterator[tuple[str, str]]:
        with self._news.bell(self._news.signals) as bell:
            while True:
                bell.clear()
                try:
                    async with self._keeping as connection:  # which also listens again if it has to
                        found = await connection.fetch(statements.SELECT_SIGNALS, self._lease.name)
                except StoreError:
                    if not self._keeping.is_open:
                        raise
                    await bell.rings(within=RETRY_SECONDS)  # the words wait until it is back
                    continue
                for key, fid, signal in found:
                    yield fid, signal
                    with contextlib.suppress(StoreError):  # one that stays is told again
                        async with self._keeping as connection:
                            await connection.execute(statements.DELETE_SIGNAL, key)
                if not found:
                    await bell.rings()
