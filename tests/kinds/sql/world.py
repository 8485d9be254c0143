"""Flows of `sql` nodes over real databases, and what an onlooker sees in those."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock import NodeContext, Runtime, node
from penstock.core.policies import Record
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme

if TYPE_CHECKING:
    from pathlib import Path

Nodes = list[dict[str, Any]]


class Database:
    """A database of a test's own: its address, and another connection to look into it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = url.startswith("postgresql")

    async def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """What the statement returns, executed for good by an onlooker."""
        if self.is_postgres:
            import asyncpg

            connection = await asyncpg.connect(self.url)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()
        plain = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None, timeout=0)
        try:
            return plain.execute(statement).fetchall()
        finally:
            plain.close()

    async def names(self) -> list[str]:
        """What is in the table `people` for everybody to see."""
        return [name for (name,) in await self.execute("SELECT name FROM people ORDER BY name")]

    async def sessions(self) -> int:
        """How many other connections a PostgreSQL database has."""
        ((count,),) = await self.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(count)


class World:
    """Runs flows, recorded nowhere unless told otherwise.

    The kind `gate` says that it was reached, waits until it is opened, and sends its payload on.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.scheme = standard_scheme()

        @node("gate")
        async def gate(value: Any = None, *, ctx: NodeContext) -> Any:
            self.reached.set()
            await self.opened.wait()
            return value

        self.scheme.add(gate)

    @asynccontextmanager
    async def runtime(self, store: str = "memory:") -> AsyncIterator[Runtime]:
        async with Runtime(store, scheme=self.scheme, recover=False) as runtime:
            yield runtime

    def flow(self, nodes: Nodes, *, record: Record = Record.NONE, **settings: Any) -> Any:
        """A flow of these nodes, in which each `sql` node speaks with the database."""
        document = {
            "flow": "test",
            "inputs": {"in": {}},
            "settings": {"record": record, **settings},
            "nodes": [self._complete(each) for each in nodes],
        }
        return Loader(self.scheme).read(json.dumps(document), file="test.json", folder=self.folder)

    async def run(self, *nodes: dict[str, Any], given: Any = None, **settings: Any) -> Any:
        """The result of a flow of these nodes. Raises RunFailed."""
        async with self.runtime() as runtime:
            run = await runtime.launch(self.flow(list(nodes), **settings), {"in": given})
            return await run.result()

    async def sql(self, statement: str | list[str], given: Any = None, **config: Any) -> Any:
        """The answer of a single `sql` node to a payload."""
        return await self.run({"kind": "sql", "statement": statement, **config}, given=given)

    def _complete(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.database.url, **given} if given["kind"] == "sql" else given


def insert(name: str, links: Any = None, *, value: str = "", **config: Any) -> dict[str, Any]:
    """An `sql` node that adds a row to `people`: its own name, unless a value is given."""
    statement = f"INSERT INTO people (name) VALUES ('{value or name}')"
    linked = {} if links is None else {"links": links if isinstance(links, dict) else {"out": links}}
    return {"kind": "sql", "name": name, "statement": statement, **linked, **config}


FAIL = {"kind": "throw", "name": "fail", "message": "not today"}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds, for ten seconds at most."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.005)
