-- Who began a run, where it is executed, by which key its launcher knew it beforehand, and how
-- many of its locks are open.

ALTER TABLE runs ADD COLUMN namespace TEXT NOT NULL DEFAULT 'default';
ALTER TABLE runs ADD COLUMN launcher TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN executor TEXT NOT NULL DEFAULT 'inline';
ALTER TABLE runs ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN locks INTEGER NOT NULL DEFAULT 0;

-- Partial: the runs that have none of it pay nothing.
CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key <> '';
CREATE INDEX runs_launcher ON runs (launcher, fid) WHERE launcher <> '';
CREATE INDEX runs_locked ON runs (fid) WHERE locks > 0;

-- Who did what, and what came of it. Rows are only ever added.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      REAL NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    address TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;

CREATE INDEX audit_who ON audit (who, id);
CREATE INDEX audit_subject ON audit (subject, id);
