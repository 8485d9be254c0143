"""Execution: statements and their parameters on a connection, and what comes back.

Everything here is plain code over SQLAlchemy's plain connection. It runs on a thread for a
driver that blocks, and within SQLAlchemy's greenlet for one that does not: see `Connection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.payload import Payload
from penstock.kinds.sql.coercion import coerced
from penstock.kinds.sql.failures import refused_by_asyncpg
from penstock.kinds.sql.parameters import adapted
from penstock.kinds.sql.rows import Answer, Mode, distinct, row_of, too_many
from penstock.kinds.sql.statement import Statement, Values

if TYPE_CHECKING:
    import sqlalchemy as sa

_KNOWN_TYPES: Final = "penstock.types"
"""Where a pooled connection keeps what asyncpg told of the statements that it prepared."""
_MOST_KNOWN: Final = 1000
"""Statements may come over links, and each be another one."""


class Work(msgspec.Struct, frozen=True):
    """What one firing does: each statement with its sets of parameters. The last one answers."""

    statements: Sequence[Statement]
    sets: Sequence[Sequence[Values]]
    mode: Mode
    max_rows: int

    def __call__(self, connection: sa.Connection) -> Payload:
        """Do it. Raises NodeError, and what the driver raises."""
        answer = Answer()
        last = len(self.statements) - 1
        try:
            for number, (statement, sets) in enumerate(zip(self.statements, self.sets, strict=True)):
                answer = execute(connection, statement, sets, self.max_rows if number == last else 0)
        except Exception as error:
            _doubt(connection, error)
            raise
        return answer.payload(self.mode)


def execute(
    connection: sa.Connection, statement: Statement, sets: Sequence[Values], max_rows: int
) -> Answer:
    """Execute a statement once for each set of parameters; their rows come one behind the other.

    max_rows: with 0, rows are not looked at. Raises NodeError when more of them come.
    """
    dialect = connection.dialect
    text, _ = statement.written(dialect.paramstyle)
    if not statement.takes_parameters:
        return _execute(connection, statement, text, None, max_rows)
    bound = _bound(connection, statement, text, sets)
    if len(bound) > 1 and not (statement.returns or statement.is_query):
        # Drivers send a batch at once, but some do not say how many rows it wrote.
        if dialect.supports_sane_multi_rowcount:
            return Answer(count=max(connection.exec_driver_sql(text, bound).rowcount, 0))
        if statement.counted:
            connection.exec_driver_sql(text, bound)
            return Answer(count=len(bound))
    whole = Answer()
    for parameters in bound:
        answer = _execute(connection, statement, text, parameters, max_rows, had=len(whole.rows))
        whole.columns = answer.columns
        whole.rows += answer.rows
        whole.count += answer.count
    if not bound and (statement.returns or statement.is_query):
        whole.columns = []
    return whole


def _bound(
    connection: sa.Connection, statement: Statement, text: str, sets: Sequence[Values]
) -> list[Any]:
    """The sets of parameters as the driver takes them."""
    dialect = connection.dialect
    if dialect.driver == "asyncpg":
        types = _types(connection, text)
        return [coerced(tuple(statement.arranged(values, dialect.paramstyle)), types) for values in sets]
    return [
        statement.arranged(
            {key: adapted(value, dialect.name) for key, value in values.items()}, dialect.paramstyle
        )
        for values in sets
    ]


def _execute(
    connection: sa.Connection,
    statement: Statement,
    text: str,
    parameters: Any,
    max_rows: int,
    *,
    had: int = 0,
) -> Answer:
    options: dict[str, Any] = {"no_parameters": parameters is None}
    if statement.is_query and max_rows:
        # The driver fetches as it goes: rows beyond the limit never come into memory.
        options["stream_results"] = True
    result = connection.exec_driver_sql(text, parameters, execution_options=options)
    if not result.returns_rows:
        return Answer(count=max(result.rowcount, 0))
    try:
        columns = distinct(result.keys())
        if not max_rows:
            return Answer(columns=columns)
        room = max_rows - had
        found = result.fetchmany(room + 1)
        if len(found) > room:
            raise too_many(max_rows)
        return Answer(columns=columns, rows=[row_of(row) for row in found], count=len(found))
    finally:
        result.close()


def _types(connection: sa.Connection, text: str) -> tuple[str, ...]:
    """What asyncpg wants for the parameters of a statement: asked once for each connection."""
    known: dict[str, tuple[str, ...]] = connection.info.setdefault(_KNOWN_TYPES, {})
    if text not in known:
        if len(known) >= _MOST_KNOWN:
            known.clear()

        async def prepare(driver: Any) -> Any:
            return (await driver.prepare(text)).get_parameters()

        adapter: Any = connection.connection.dbapi_connection
        known[text] = tuple(kind.name for kind in adapter.run_async(prepare))
    return known[text]


def _doubt(connection: sa.Connection, error: Exception) -> None:
    """After a failure: a column may have another type than when asyncpg was asked.

    SQLAlchemy keeps prepared statements, too. A connection whose own are out of date is replaced
    when it is taken the next time.
    """
    if connection.invalidated or connection.dialect.driver != "asyncpg":
        return
    connection.info.pop(_KNOWN_TYPES, None)
    if refused_by_asyncpg(error):
        connection.connection.invalidate(soft=True)
