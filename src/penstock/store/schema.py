"""The shape of the SQLite file: how it is opened, and brought up to date."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final

from penstock.core.errors import StoreError, StoreVersion
from penstock.store.dialects import MIGRATIONS, latest, scripts
from penstock.store.failures import corrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID: Final = 0x50656E73

WAL_PAGES: Final = 4000
"""Pages of the write-ahead log between checkpoints. Four times SQLite's default: random
index pages then reach the database once for many commits (docs/decisions/0003)."""

RETRY_SECONDS: Final = 0.002


def connect(
    path: Path, *, create: bool, busy_timeout: float, quota_bytes: int | None
) -> sqlite3.Connection:
    """Open the file, bring it up to date, and set it so that a commit is on disk.

    Raises sqlite3.Error, OSError, or the StoreErrors of `migrate`.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise StoreError(
            f"there is no journal `{path}`", remedy="run a flow first, or name another --store"
        )
    database = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, cached_statements=256)
    try:
        if _version(database) != latest():
            migrate(database, path)
        _refuse_strangers(database, path, latest())
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA fullfsync = ON")  # macOS: through the drive's cache, too
        database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES:d}")
        database.execute("PRAGMA cache_size = -16384")
        if quota_bytes is not None:
            (page_size,) = database.execute("PRAGMA page_size").fetchone()
            database.execute(f"PRAGMA max_page_count = {max(1, quota_bytes // page_size):d}")
    except BaseException:
        database.close()
        raise
    return database


def migrate(database: sqlite3.Connection, path: Path, folder: Path = MIGRATIONS) -> None:
    """Apply the migrations that the file lacks, in order, all of them or none.

    Raises StoreVersion when the file is newer than this Penstock, and StoreError when it
    is another program's.
    """
    _refuse_strangers(database, path, latest(folder))  # before anything is changed
    _use_log(database)  # not allowed inside a transaction
    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database)  # another process may have been quicker
        for script in scripts("sqlite", after=version, folder=folder):
            for statement in _statements(script):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {latest(folder):d}")
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _use_log(database: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log, waiting for others as long as a commit would.

    Of two processes that do this to a new file at once, each holds the lock that the other
    wants. SQLite then refuses one of them without waiting, and that one has to come again.
    """
    (patience_ms,) = database.execute("PRAGMA busy_timeout").fetchone()
    end = time.monotonic() + patience_ms / 1000
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def check(database: sqlite3.Connection, path: Path) -> None:
    """Read the whole file. Raises StoreCorrupt with the first thing that is wrong."""
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        # SQLite puts the name of the database in a line of its own before the first finding.
        lines = [line for line in found.splitlines() if not line.startswith("***")]
        raise corrupt(path, lines[0] if lines else found)


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. `executescript` would end the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _refuse_strangers(database: sqlite3.Connection, path: Path, newest: int) -> None:
    # One statement, so one snapshot: another process may be making the tables just now.
    application, version, size = database.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != APPLICATION_ID and (application, version, size) != (0, 0, 0):
        raise StoreError(
            f"`{path}` is the database of another program", remedy="name another file with --store"
        )
    if version > newest:
        raise StoreVersion(
            f"the journal `{path}` has version {version}, newer than this Penstock's {newest}",
            remedy="upgrade: pip install --upgrade penstock",
        )
