"""Every SQL statement of the SQLite store but the migrations.

All are constant: values come in as parameters.
"""
# ruff: noqa: S608 - what is put together here are the constants of this file

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.store.ways import Index

_UNFINISHED: Final = "('pending', 'running', 'waiting')"
"""The states of `RunState` that are not terminal."""

_LAST: Final = (
    "coalesce((SELECT last FROM events WHERE run = runs.id ORDER BY first DESC LIMIT 1), 0) AS seq"
)

_COLUMNS: Final = (
    "fid, flow, source, revision, state, wake_at, owner, started, ended, error, "
    "namespace, launcher, executor, key, locks"
)
INSERT_RUN: Final = f"INSERT INTO runs ({_COLUMNS}) VALUES ({', '.join('?' * 15)})"
SELECT_RUNS: Final = f"SELECT {_COLUMNS}, {_LAST} FROM runs"
OF_FID: Final = "WHERE fid = ?"
OF_KEY: Final = "WHERE key = ? AND key <> ''"
_WAYS: Final = {
    "fid": "TRUE",
    "state": "state = :value",
    "flow": "flow = :value",
    "launcher": "launcher = :value AND launcher <> ''",  # as its index, which is partial, has it
    "locked": "locks > 0",
}
_CONDITIONS: Final = """
    fid < :before
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:namespace = '' OR namespace = :namespace)
    AND (:flow = '' OR flow = :flow)
    AND (:launcher = '' OR launcher = :launcher)
    AND (:since IS NULL OR started >= :since)
    AND (:until IS NULL OR started < :until)
    AND (
        :all OR (launcher = :seer AND :seer <> '')
        OR flow IN (SELECT value FROM json_each(:flows))
        OR namespace IN (SELECT value FROM json_each(:namespaces))
    )
"""

TAIL: Final = f"SELECT id, {_LAST} FROM runs WHERE fid = ?"
LASTS: Final = f"SELECT fid, {_LAST} FROM runs WHERE fid IN (SELECT value FROM json_each(?))"
INSERT_CHUNK: Final = "INSERT INTO events (run, first, last, body) VALUES (?, ?, ?, ?)"
SELECT_CHUNKS: Final = """
    SELECT first, body FROM events WHERE run = (SELECT id FROM runs WHERE fid = :fid) AND first >= (
        SELECT coalesce(max(first), 0) FROM events
        WHERE run = (SELECT id FROM runs WHERE fid = :fid) AND first <= :after + 1
    ) ORDER BY first LIMIT :chunks
"""
"""From the chunk that holds the event `after + 1` on."""

INSERT_REVISION: Final = "INSERT INTO revisions (digest, document) VALUES (?, ?) ON CONFLICT DO NOTHING"
SELECT_REVISION: Final = "SELECT document FROM revisions WHERE digest = ?"

OWNS: Final = f"SELECT EXISTS (SELECT 1 FROM runs WHERE state IN {_UNFINISHED} AND owner = ?)"
OWNERS: Final = f"SELECT DISTINCT owner FROM runs WHERE state IN {_UNFINISHED}"
_ORPHANED: Final = f"""
    WHERE state IN {_UNFINISHED} AND owner IN (SELECT value FROM json_each(:dead))
    AND (:fids IS NULL OR fid IN (SELECT value FROM json_each(:fids)))
"""
SELECT_ORPHANED: Final = f"{SELECT_RUNS} {_ORPHANED} ORDER BY fid"
CLAIM_ORPHANED: Final = f"UPDATE runs SET owner = :owner {_ORPHANED}"

INSERT_SIGNAL: Final = (
    "INSERT INTO signals (run, signal) "
    f"SELECT id, :signal FROM runs WHERE fid = :fid AND state IN {_UNFINISHED}"
)
SELECT_SIGNALS: Final = (
    "SELECT signals.id, fid, signal FROM signals JOIN runs ON runs.id = run "
    f"WHERE owner = ? AND state IN {_UNFINISHED} ORDER BY signals.id"
)
DELETE_SIGNAL: Final = "DELETE FROM signals WHERE id = ?"
DELETE_STALE_SIGNALS: Final = (
    f"DELETE FROM signals WHERE run IN (SELECT id FROM runs WHERE state NOT IN {_UNFINISHED})"
)

INSERT_AUDIT: Final = (
    "INSERT INTO audit (at, who, action, subject, outcome, address, detail) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
SELECT_AUDIT: Final = """
    SELECT id, at, who, action, subject, outcome, address, detail FROM audit
    WHERE (:before IS NULL OR id < :before) AND (:who = '' OR who = :who)
    AND (:action = '' OR action = :action) AND (:subject = '' OR subject = :subject)
    ORDER BY id DESC LIMIT :limit
"""

_HEAD: Final = "SELECT collection, namespace, id, name, revision, live FROM catalogue"
SELECT_HEAD: Final = (
    f"{_HEAD} WHERE collection = :collection AND id = :id ORDER BY revision DESC LIMIT 1"
)
SELECT_HOLDER: Final = (
    f"{_HEAD} WHERE live = 1 AND collection = :collection AND namespace = :namespace AND name = :name"
)
RETIRE: Final = "UPDATE catalogue SET live = 0 WHERE live = 1 AND collection = ? AND id = ?"
INSERT_ENTRY: Final = (
    "INSERT INTO catalogue (position, collection, namespace, id, name, revision, live, at, origin, "
    "content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ENTRY: Final = (
    "SELECT position, collection, namespace, id, name, revision, at, origin, content FROM catalogue"
)
SELECT_LIVE: Final = f"{_ENTRY} WHERE live = 1 AND collection = :collection"
OF_NAMESPACE: Final = " AND namespace = :namespace"
OF_KEYS: Final = (
    " AND (id IN (SELECT value FROM json_each(:keys)) OR name IN (SELECT value FROM json_each(:keys)))"
)
IN_ORDER: Final = " ORDER BY namespace, name, id"
SELECT_HISTORY: Final = f"{_ENTRY} WHERE collection = ? AND id = ? ORDER BY revision DESC"
SELECT_CHANGES: Final = f"{_ENTRY} WHERE position > ? ORDER BY position"
POSITION: Final = "SELECT coalesce(max(position), 0) FROM catalogue"
SELECT_VALUES: Final = (
    "SELECT content, position FROM catalogue WHERE collection = 'values' AND content IS NOT NULL"
)
UPDATE_CONTENT: Final = "UPDATE catalogue SET content = ? WHERE position = ?"

PUT_REPORT: Final = (
    "INSERT INTO reports (owner, namespace, at, body) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET at = excluded.at, body = excluded.body"
)
SELECT_REPORTS: Final = "SELECT owner, at, body FROM reports WHERE namespace = ? ORDER BY owner"
REPORTERS: Final = "SELECT DISTINCT owner FROM reports"
DELETE_REPORT: Final = "DELETE FROM reports WHERE owner = ? AND namespace = ?"
DELETE_REPORTS: Final = "DELETE FROM reports WHERE owner = ?"


@functools.cache
def update_run(fields: tuple[str, ...]) -> str:
    """The statement that sets these fields of a run."""
    return f"UPDATE runs SET {', '.join(f'{name} = ?' for name in fields)} WHERE fid = ?"


def select_runs(way: Index) -> str:
    """The statement that walks an index, and takes the runs that meet the conditions."""
    index = "sqlite_autoindex_runs_1" if way == "fid" else f"runs_{way}"
    return (
        f"{SELECT_RUNS} INDEXED BY {index} WHERE {_WAYS[way]} AND {_CONDITIONS} "
        "ORDER BY fid DESC LIMIT :limit"
    )
