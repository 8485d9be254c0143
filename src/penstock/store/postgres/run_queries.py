"""Queries of runs, as SELECTs of the PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.store import Sight
from penstock.store import rows
from penstock.store.postgres import statements
from penstock.store.ways import ways

if TYPE_CHECKING:
    from penstock.core.store import RunQuery, RunRow


async def find(connection: Any, query: RunQuery) -> list[RunRow]:
    """The runs that a query asks for, newest first."""
    found: dict[str, RunRow] = {}
    for way in ways(query):
        statement = statements.select_runs(way.by)
        cursor = await connection.fetch(statement, list(way.values), *_parameters(query))
        found |= {row.fid: row for row in rows.from_columns(cursor)}
    return [found[fid] for fid in sorted(found, reverse=True)][: query.limit]


def _parameters(query: RunQuery) -> tuple[Any, ...]:
    """The parameters of `statements.select_runs` behind the first."""
    sight = query.sight or Sight()
    return (
        query.before or rows.LAST_FID,
        [state.value for state in query.states],
        query.flow,
        query.launcher,
        query.since,
        query.until,
        query.sight is None,
        sight.launcher,
        list(sight.flows),
        list(sight.namespaces),
        query.limit,
        query.namespace,
    )
