"""Queries of runs, as SELECTs of the SQLite file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from penstock.core.store import Sight
from penstock.store import rows, statements
from penstock.store.ways import ways

if TYPE_CHECKING:
    import sqlite3

    from penstock.core.store import RunQuery, RunRow


def find(database: sqlite3.Connection, query: RunQuery) -> list[RunRow]:
    """The runs that a query asks for, newest first."""
    parameters = _parameters(query)
    found: dict[str, RunRow] = {}
    for way in ways(query):
        statement = statements.select_runs(way.by)
        for value in way.values:
            cursor = database.execute(statement, parameters | {"value": value})
            found |= {row.fid: row for row in rows.from_columns(cursor)}
    return [found[fid] for fid in sorted(found, reverse=True)][: query.limit]


def _parameters(query: RunQuery) -> dict[str, Any]:
    sight = query.sight or Sight()
    return {
        "before": query.before or rows.LAST_FID,
        "states": json.dumps(query.states) if query.states else None,
        "namespace": query.namespace,
        "flow": query.flow,
        "launcher": query.launcher,
        "since": query.since,
        "until": query.until,
        "all": query.sight is None,
        "seer": sight.launcher,
        "flows": json.dumps(sorted(sight.flows)),
        "namespaces": json.dumps(sorted(sight.namespaces)),
        "limit": -1 if query.limit is None else query.limit,
    }
