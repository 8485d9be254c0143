-- Specs and values. Each row is one revision of a document, at its place in the stream of
-- changes; nothing is ever overwritten but the seal of a value. `live`: 1 for the newest
-- revision of a document, unless that deletes it (content is NULL then).

CREATE TABLE catalogue (
    position   INTEGER NOT NULL PRIMARY KEY,
    collection TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    live       INTEGER NOT NULL,
    at         REAL NOT NULL,
    origin     TEXT NOT NULL,
    content    BLOB
) STRICT;

CREATE UNIQUE INDEX catalogue_id ON catalogue (collection, id, revision);
CREATE UNIQUE INDEX catalogue_name ON catalogue (collection, namespace, name)
    WHERE live = 1 AND name <> '';
CREATE INDEX catalogue_live ON catalogue (collection, namespace, name, id) WHERE live = 1;

-- Schedules ask for the last run of a flow again and again.
CREATE INDEX runs_flow ON runs (flow, fid);
