"""What a journal asks of SQLite, so that a commit that was acknowledged survives a power cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.store import schema

if TYPE_CHECKING:
    from pathlib import Path

FULL = 2


def test_every_connection_waits_for_the_disk_at_each_commit(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for create in (True, False):  # one is kept in the file, the other is set by each connection
        database = schema.connect(path, create=create, busy_timeout=1.0, quota_bytes=None)
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = database.execute("PRAGMA synchronous").fetchone()
        database.close()
        assert (mode, synchronous) == ("wal", FULL)
