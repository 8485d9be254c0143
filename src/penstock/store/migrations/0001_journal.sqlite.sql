PRAGMA application_id = 0x50656e73;  -- "Pens"

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
