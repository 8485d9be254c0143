-- Runs, their streams, what they execute, and the words left for them.

PRAGMA application_id = 0x50656e73;  -- "Pens"

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

-- One row holds the events of one run in one commit, with the seqs `first` to `last`.
CREATE TABLE events (
    id    INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL REFERENCES runs (id),
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    body  BLOB NOT NULL
) STRICT;

-- Two writers that follow the same seq collide here: the fence of docs/decisions/0003.
CREATE UNIQUE INDEX events_run_first ON events (run, first);

CREATE TABLE revisions (
    digest   TEXT PRIMARY KEY,
    document BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signals (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    run    INTEGER NOT NULL REFERENCES runs (id),
    signal TEXT NOT NULL
) STRICT;
