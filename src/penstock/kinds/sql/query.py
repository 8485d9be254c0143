"""`sql`: a statement as a node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.context import NodeContext
from penstock.engine.kind import Action, FieldError, Inputs, Outputs, field
from penstock.engine.leases import Lease
from penstock.kinds.sql.address import check
from penstock.kinds.sql.engine import load_driver
from penstock.kinds.sql.execution import Work
from penstock.kinds.sql.failures import told
from penstock.kinds.sql.parameters import deal
from penstock.kinds.sql.pool import Pool, PoolSettings
from penstock.kinds.sql.rows import Mode
from penstock.kinds.sql.statement import Statement
from penstock.kinds.sql.transaction import Savepoint, Transaction, alone, bare

Isolation = Literal[
    "immediate", "read uncommitted", "read committed", "repeatable read", "serializable", "snapshot"
]


class Sql(Action, kind="sql", normalised=True):
    r"""Execute SQL in any database that SQLAlchemy speaks with.

    Needs the package `penstock[sql]` and the database's driver. SQLite needs none; for PostgreSQL
    `penstock[postgres]` brings asyncpg.

    Config of the statement: url (such as `sqlite:///shop.db`, `postgresql://ada@db/shop`; take
    passwords from `env`), statement (text, or a list of statements, of which the last one
    answers), mode (what is sent: `rows`, a list of mappings; `row`, one mapping, or null where
    there is no row; `value`, what its only column holds; `column`, a list of that; `count`, how
    many rows were written or came; the default `auto` is rows where any are returned and else
    the count), max_rows (default 10,000: more are an error).

    Parameters come in the payload. A list gives `?` their values in order, a mapping gives each
    `:name` its value (what else it holds is ignored), and anything else is the only parameter. A
    list of lists or of mappings executes the statement once for each. A statement without
    placeholders ignores the payload. `:idempotency_key` is there by itself: the same for every
    attempt and repetition of this firing. Write `\?` and `\:` for the characters themselves.

    Config of the transaction: transaction is `process` (all `sql` nodes of a process that name the same
    url share a transaction, committed when the process succeeds and rolled back when it fails;
    what `loop`, `try` and others call works in a savepoint of it), `node` (each firing has its
    own, committed before it sends anything) or `none` (each statement for itself). The default
    is `process` where nothing is recorded, and `node` in a recorded run: what a journal says has
    happened must not be rolled back afterwards. isolation is a level that the database knows, or
    `immediate` (SQLite: take the write lock at the beginning).

    Config of the connections, which nodes of a runtime share: pool_size (default 10),
    pool_timeout (how long to wait for one that is in use, default 30s), connect_timeout (10s),
    on_connect (statements for each new connection, such as `PRAGMA foreign_keys = ON`).

    Ports: in (parameters), statement → out.

    Errors: `sql.connect`, `sql.connection` (it broke), `sql.timeout` and `sql.conflict` (deadlock,
    serialization, a lock) may go away with another attempt; `sql.statement`, `sql.parameters`,
    `sql.data`, `sql.integrity` (details: constraint), `sql.rows`, `sql.transaction`, `sql.url` and
    `sql.driver` will not. No message shows a password or the value of a parameter.

    Example:
        flow: stock
        nodes:
          - kind: sql
            name: fill
            url: sqlite:///stock.db
            statement:
              - CREATE TABLE IF NOT EXISTS items (name TEXT PRIMARY KEY, count INTEGER)
              - INSERT INTO items VALUES ('valve', 3) ON CONFLICT DO NOTHING
            links: {out: scarce}
          - kind: sql
            name: scarce
            url: sqlite:///stock.db
            statement: SELECT name, count FROM items WHERE count < 5
    """

    url: str
    statement: str | list[str] | None = None
    mode: Mode = "auto"
    max_rows: Annotated[int, Meta(ge=1)] = 10_000

    transaction: Literal["process", "node", "none"] | None = None
    isolation: Isolation | None = None

    pool_size: Annotated[int, Meta(ge=1, le=10_000)] = 10
    pool_timeout: Duration = Duration(seconds=30)
    connect_timeout: Duration = Duration(seconds=10)
    on_connect: tuple[str, ...] = ()

    _known: tuple[Payload, tuple[Statement, ...]] = field(init=False, default=(None, ()))
    _lease: Lease[Pool] | None = field(init=False, default=None)

    in_ports: ClassVar[Ports] = {
        "in": Port(doc="the parameters: a list, a mapping, a list of these, or one value", default=None),
        "statement": Port(doc="SQL, or a list of it; what people sent belongs into parameters"),
    }
    out_ports: ClassVar[Ports] = {"out": Port(doc="what the last statement answers, as `mode` says")}

    def check(self) -> None:
        try:
            check(self.url)
        except NodeError as error:
            raise FieldError("url", f"{error.message}; {error.remedy}") from error
        if self.transaction == "none" and self.isolation is not None:
            raise FieldError("isolation", "it belongs to a transaction, and `transaction` is `none`")
        if self.statement is not None:
            try:
                self._statements(self.statement)
            except NodeError as error:
                raise FieldError("statement", f"{error.message}; {error.remedy}") from error

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        statements = self._statements(inputs["statement"])
        payload = inputs["in"]
        sets = deal(statements, payload, {"idempotency_key": ctx.idempotency_key})
        work = Work(statements, sets, self.mode, self.max_rows)
        way = self._way(ctx)
        pool = await self._pool(ctx)
        with told(pool.shown, values=(payload,)):
            if way == "none":
                return {"out": await bare(pool, work)}
            if way == "node":
                return {"out": await alone(pool, work, isolation=self.isolation)}
            return {"out": await (await self._scope(pool, ctx)).work(work)}

    async def load(self) -> None:
        self._lease = None

    async def unload(self) -> None:
        # Kept: what fires late must not take a lease that nobody would give back.
        if self._lease is not None:
            await self._lease.give_back()

    def _statements(self, given: Payload) -> tuple[Statement, ...]:
        """The statements, read. Raises NodeError `sql.statement`."""
        known, statements = self._known
        if known is not None and known == given:
            return statements
        texts = given if isinstance(given, list) else [given]
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise NodeError(
                "a statement is text, or a list of texts",
                code="sql.statement",
                remedy="set `statement`, or send it to the port of that name",
            )
        try:
            statements = tuple(Statement(text) for text in texts)
        except ValueError as error:
            raise NodeError(
                f"the statement cannot be used: {error}",
                code="sql.statement",
                remedy="use one sort of placeholder",
            ) from error
        self._known = given, statements
        return statements

    def _way(self, ctx: NodeContext) -> str:
        """What this firing's transaction is. Raises NodeError `sql.transaction`."""
        if self.transaction == "process" and ctx.recorded:
            raise NodeError(
                "this run is recorded, so its nodes cannot share a transaction: after a crash the "
                "journal would say that they had done what was rolled back",
                code="sql.transaction",
                remedy="put the statements into one node, set `transaction: node`, or let the flow "
                "set `settings: {record: none}`",
            )
        return self.transaction or ("node" if ctx.recorded else "process")

    async def _pool(self, ctx: NodeContext) -> Pool:
        if self._lease is None:
            # On a thread: the first import of all this takes longer than others should wait.
            url = await ctx.in_thread(load_driver, self.url)
        if self._lease is None:
            settings = PoolSettings(
                url=self.url,
                size=self.pool_size,
                timeout=self.pool_timeout,
                connect_timeout=self.connect_timeout,
                on_connect=self.on_connect,
            )
            self._lease = ctx.leases.take(settings, lambda: Pool(settings, url))
        return self._lease.thing

    async def _scope(self, pool: Pool, ctx: NodeContext) -> Transaction | Savepoint:
        """The transaction of the process. Raises NodeError `sql.transaction`."""
        key = ("sql", self.url)

        @asynccontextmanager
        async def enter() -> AsyncIterator[Any]:
            around: Transaction | Savepoint | None = await ctx.inherited(key)
            scope = Transaction(pool, isolation=self.isolation) if around is None else Savepoint(around)
            async with scope:
                yield scope

        scope: Transaction | Savepoint = await ctx.share(key, enter)
        if self.isolation not in (None, scope.root.isolation):
            raise NodeError(
                f"the transaction of this process has another isolation than `{self.isolation}`",
                code="sql.transaction",
                remedy="set the same `isolation` on all `sql` nodes of the process",
            )
        return scope
