-- What each live runtime says of the specs of a namespace. What a dead one said is passed over,
-- and deleted by the next runtime that says something.

CREATE TABLE reports (
    owner     TEXT NOT NULL,
    namespace TEXT NOT NULL,
    at        REAL NOT NULL,
    body      BLOB NOT NULL,
    PRIMARY KEY (owner, namespace)
) STRICT, WITHOUT ROWID;
