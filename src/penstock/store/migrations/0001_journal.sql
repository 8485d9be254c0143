-- Runs, what they execute, and the words left for them. The streams are in the files of
-- each store, which lays them out for itself.

CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,
    fid      TEXT NOT NULL UNIQUE,
    flow     TEXT NOT NULL,
    source   TEXT NOT NULL,
    revision TEXT NOT NULL,
    state    TEXT NOT NULL,
    wake_at  REAL,
    owner    TEXT NOT NULL,
    started  REAL NOT NULL,
    ended    REAL,
    error    TEXT NOT NULL
) STRICT;

CREATE INDEX runs_state ON runs (state, fid);

CREATE TABLE revisions (
    digest   TEXT PRIMARY KEY,
    document BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signals (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    run    INTEGER NOT NULL REFERENCES runs (id),
    signal TEXT NOT NULL
) STRICT;
