"""The migrations of all stores, from one source.

`migrations/NNNN_name.sql` is for every store and is written for SQLite; the words in which
PostgreSQL differs are replaced. What a store has for itself, because it is laid out for its
own strengths, is in `NNNN_name.sqlite.sql` or `NNNN_name.postgres.sql` and comes after the
shared file of that number. Numbers count for all stores alike.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

Dialect = Literal["sqlite", "postgres"]

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_POSTGRES: Final = {
    "INTEGER PRIMARY KEY AUTOINCREMENT": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER PRIMARY KEY": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER": "BIGINT",
    "REAL": "DOUBLE PRECISION",
    "BLOB": "BYTEA",
    "TEXT": 'TEXT COLLATE "C"',  # compared by bytes, as SQLite does, and quicker
    ") STRICT, WITHOUT ROWID": ")",
    ") STRICT": ")",
}
_WORDS: Final = re.compile("|".join(rf"{re.escape(word)}(?!\w)" for word in _POSTGRES))


def latest(folder: Path = MIGRATIONS) -> int:
    """The version that this Penstock writes."""
    return max(int(file.name[:4]) for file in folder.glob("*.sql"))


def scripts(dialect: Dialect, *, after: int, folder: Path = MIGRATIONS) -> list[str]:
    """What brings a store from version `after` to the latest, in order."""
    found = []
    for file in sorted(folder.glob("*.sql"), key=_order):
        if int(file.name[:4]) <= after:
            continue
        shared = file.name.count(".") == 1
        if shared or file.name.endswith(f".{dialect}.sql"):
            text = file.read_text(encoding="utf-8")
            found.append(to_postgres(text) if shared and dialect == "postgres" else text)
    return found


def to_postgres(script: str) -> str:
    """A shared script in the words of PostgreSQL."""
    return _WORDS.sub(lambda word: _POSTGRES[word[0]], script)


def _order(file: Path) -> tuple[str, int, str]:
    return file.name[:4], file.name.count("."), file.name
