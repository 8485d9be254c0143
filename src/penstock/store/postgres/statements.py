"""Every SQL statement of the PostgreSQL store but the migrations."""
# ruff: noqa: S608 - what is put together here are the constants of this file

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.store.ways import Index

_UNFINISHED: Final = "('pending', 'running', 'waiting')"
"""The states of `RunState` that are not terminal."""

_LAST: Final = (
    "coalesce((SELECT last FROM events WHERE events.fid = runs.fid ORDER BY first DESC LIMIT 1), 0)"
)

COMMIT: Final = f"SELECT commit_batch({', '.join(f'${number}' for number in range(1, 30))})"
CLAIM: Final = "SELECT claim_runs($1, $2, $3)"

_COLUMNS: Final = (
    "fid, flow, source, revision, state, wake_at, owner, started, ended, error, "
    "namespace, launcher, executor, key, locks"
)
SELECT_RUNS: Final = f"SELECT {_COLUMNS}, {_LAST} FROM runs"
OF_FID: Final = "WHERE fid = $1"
OF_KEY: Final = "WHERE key = $1 AND key <> ''"
OF_FIDS: Final = "WHERE fid = ANY ($1) ORDER BY fid"
HOLDERS: Final = "SELECT key, fid FROM runs WHERE key = ANY ($1) AND key <> ''"
_WAYS: Final = {
    "fid": ("TRUE", "fid DESC"),
    "state": ("state = ANY (ARRAY[value])", "state DESC, fid DESC"),
    "flow": ("flow = ANY (ARRAY[value])", "flow DESC, fid DESC"),
    "launcher": ("launcher = ANY (ARRAY[value]) AND launcher <> ''", "launcher DESC, fid DESC"),
    "locked": ("locks > 0", "fid DESC"),
}
"""What each way asks for, and an order which only its index has.

For `flow = value ORDER BY fid` the planner may walk all runs, from the newest to this flow's. Of
a list it does not see that it has one value.
"""

TAILS: Final = f"SELECT fid, owner, {_LAST} AS last FROM runs WHERE fid = ANY ($1)"
TAIL: Final = f"SELECT {_LAST} FROM runs WHERE fid = $1"

SELECT_CHUNKS: Final = """
    SELECT first, body, blobs FROM events WHERE fid = $1 AND first >= coalesce(
        (SELECT max(first) FROM events WHERE fid = $1 AND first <= $2::bigint + 1), 0
    ) ORDER BY first LIMIT $3
"""
"""From the chunk that holds the event `$2 + 1` on."""

INSERT_BLOBS: Final = (
    "INSERT INTO blobs (digest, content) SELECT * FROM unnest($1::text[], $2::bytea[]) "
    "ON CONFLICT DO NOTHING"
)
SELECT_BLOBS: Final = "SELECT digest, content FROM blobs WHERE digest = ANY ($1)"

INSERT_REVISION: Final = (
    "INSERT INTO revisions (digest, document) VALUES ($1, $2) ON CONFLICT DO NOTHING"
)
SELECT_REVISION: Final = "SELECT document FROM revisions WHERE digest = $1"

TAKE_LEASE: Final = (
    "INSERT INTO owners (name, expires_at) "
    "VALUES ($1, clock_timestamp() + make_interval(secs => $2)) RETURNING token"
)
RENEW_LEASE: Final = (
    "UPDATE owners SET expires_at = clock_timestamp() + make_interval(secs => $2) WHERE token = $1 "
    "RETURNING (SELECT count(*) FROM owners WHERE expires_at < clock_timestamp() AND token <> $1)"
)
"""How many others have run out, or no row when this one was taken away."""
RELEASE_LEASE: Final = (
    "WITH gone AS (DELETE FROM owners WHERE token = $1 RETURNING name) "
    "SELECT pg_notify($2, name) FROM gone"
)
ALIVE: Final = "SELECT expires_at >= clock_timestamp() FROM owners WHERE name = $1"

NOTIFY: Final = "SELECT pg_notify($1, $2)"

INSERT_SIGNAL: Final = f"""
    WITH target AS (SELECT id, owner, state FROM runs WHERE fid = $1),
    word AS (
        INSERT INTO signals (run, signal) SELECT id, $2 FROM target WHERE state IN {_UNFINISHED}
    )
    SELECT pg_notify($3, owner) FROM target
"""
SELECT_SIGNALS: Final = (
    "SELECT signals.id, fid, signal FROM signals JOIN runs ON runs.id = run "
    f"WHERE owner = $1 AND state IN {_UNFINISHED} ORDER BY signals.id"
)
DELETE_SIGNAL: Final = "DELETE FROM signals WHERE id = $1"

INSERT_AUDIT: Final = (
    "INSERT INTO audit (at, who, action, subject, outcome, address, detail) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
SELECT_AUDIT: Final = """
    SELECT id, at, who, action, subject, outcome, address, detail FROM audit
    WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text = '' OR who = $2)
    AND ($3::text = '' OR action = $3) AND ($4::text = '' OR subject = $4)
    ORDER BY id DESC LIMIT $5
"""

CHECK: Final = "SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM events"

LOCK_CATALOGUE: Final = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 3)"
"""Until the end of a transaction: places become visible in the order in which they are given."""
SELECT_HEADS: Final = """
    SELECT head.* FROM unnest($1::text[], $2::text[]) AS wanted (collection, id), LATERAL (
        SELECT collection, namespace, id, name, revision, live FROM catalogue
        WHERE catalogue.collection = wanted.collection AND catalogue.id = wanted.id
        ORDER BY revision DESC LIMIT 1
    ) AS head
    UNION
    SELECT collection, namespace, id, catalogue.name, revision, live FROM catalogue
    JOIN unnest($1::text[], $3::text[], $4::text[]) AS wanted (collection, namespace, name)
    USING (collection, namespace) WHERE live = 1 AND catalogue.name = wanted.name
"""
RETIRE: Final = "UPDATE catalogue SET live = 0 WHERE live = 1 AND collection = $1 AND id = $2"
INSERT_ENTRY: Final = (
    "INSERT INTO catalogue (position, collection, namespace, id, name, revision, live, at, origin, "
    "content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
_ENTRY: Final = (
    "SELECT position, collection, namespace, id, name, revision, at, origin, content FROM catalogue"
)
SELECT_LIVE: Final = f"""
    {_ENTRY} WHERE live = 1 AND collection = $1 AND ($2::text IS NULL OR namespace = $2)
    AND (cardinality($3::text[]) = 0 OR id = ANY ($3) OR name = ANY ($3))
    ORDER BY namespace, name, id
"""
SELECT_HISTORY: Final = f"{_ENTRY} WHERE collection = $1 AND id = $2 ORDER BY revision DESC"
SELECT_CHANGES: Final = f"{_ENTRY} WHERE position > $1 ORDER BY position"
POSITION: Final = "SELECT coalesce(max(position), 0) FROM catalogue"
SELECT_VALUES: Final = (
    "SELECT content, position FROM catalogue WHERE collection = 'values' AND content IS NOT NULL"
)
UPDATE_CONTENT: Final = "UPDATE catalogue SET content = $1 WHERE position = $2"

PUT_REPORT: Final = """
    WITH gone AS (DELETE FROM reports WHERE NOT EXISTS (SELECT FROM owners WHERE name = owner))
    INSERT INTO reports (owner, namespace, at, body)
    SELECT name, $2, $3, $4 FROM owners WHERE token = $1 FOR KEY SHARE
    ON CONFLICT (owner, namespace) DO UPDATE SET at = excluded.at, body = excluded.body
    RETURNING owner
"""
"""No row when the lease was taken away."""
SELECT_REPORTS: Final = (
    "SELECT owner, at, body FROM reports JOIN owners ON name = owner "
    "WHERE namespace = $1 AND expires_at >= clock_timestamp() ORDER BY owner"
)
DELETE_REPORT: Final = "DELETE FROM reports WHERE owner = $1 AND namespace = $2"


def select_runs(way: Index) -> str:
    """The statement that walks an index for each value in $1, and takes what meets the conditions."""
    where, order = _WAYS[way]
    return f"""
        SELECT found.* FROM unnest($1::text[]) AS way (value), LATERAL (
            {SELECT_RUNS} WHERE {where} AND fid < $2
            AND (cardinality($3::text[]) = 0 OR state = ANY ($3))
            AND ($13::text = '' OR namespace = $13)
            AND ($4::text = '' OR flow = $4)
            AND ($5::text = '' OR launcher = $5)
            AND ($6::double precision IS NULL OR started >= $6)
            AND ($7::double precision IS NULL OR started < $7)
            AND (
                $8::boolean OR ($9::text <> '' AND launcher = $9)
                OR flow = ANY ($10::text[]) OR namespace = ANY ($11::text[])
            )
            ORDER BY {order} LIMIT $12
        ) AS found
    """
