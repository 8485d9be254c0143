"""What can be wrong with a file, a disk or a neighbour, and what is said about it."""

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from penstock.core.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked
from penstock.core.states import RunState
from penstock.core.store import RunChange
from penstock.store.failures import store_error
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import batch_of, events, fid, opened, run_row, seqs

CHILD = Path(__file__).with_name("child.py")


async def refusal(store: SqliteStore, kind: type[StoreError] = StoreError) -> str:
    with pytest.raises(kind) as caught:
        await store.open()
    assert type(caught.value) is kind
    assert caught.value.remedy
    return caught.value.message


async def test_a_folder_is_not_a_journal(tmp_path):
    assert "is a folder" in await refusal(SqliteStore(tmp_path))


async def test_a_file_on_the_way_to_the_journal_is_named(tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in await refusal(SqliteStore(tmp_path / "file" / "journal.db"))


async def test_a_text_file_is_not_a_journal(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to look like one\n" * 100)
    assert str(path) in await refusal(SqliteStore(path), StoreCorrupt)
    assert path.read_text().startswith("not a database")


async def test_missing_folders_are_made(tmp_path):
    async with opened(lambda: SqliteStore(tmp_path / "a" / "b" / "journal.db")) as store:
        assert await store.runs() == []


async def test_a_missing_file_is_not_made_for_a_reader(tmp_path):
    path = tmp_path / "a" / "journal.db"
    assert "there is no journal" in await refusal(SqliteStore(path, create=False))
    assert not path.parent.exists()


async def test_a_damaged_page_is_found(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(run_row(1), **{fid(1): events(1, 1)}))
        for seq in range(2, 200):
            await store.commit(batch_of(**{fid(1): events(seq, seq, pad="x" * 1000)}))
    content = bytearray(path.read_bytes())
    content[4096 * 10 : -4096] = b"\xa5" * (len(content) - 4096 * 11)
    path.write_bytes(content)
    async with opened(lambda: SqliteStore(path)) as store:
        with pytest.raises(StoreCorrupt, match=str(path)):
            await store.check()
        with pytest.raises(StoreCorrupt):
            await store.events(fid(1))


async def test_a_healthy_journal_passes_the_check(tmp_path):
    async with opened(lambda: SqliteStore(tmp_path / "journal.db")) as store:
        await store.check()


async def test_an_undecodable_stream_names_its_run(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(
            batch_of(run_row(1), run_row(2), **{fid(1): events(1, 1), fid(2): events(1, 1)})
        )
        with sqlite3.connect(path) as other:
            other.execute("UPDATE events SET body = x'c1' WHERE run = 1")
        other.close()
        with pytest.raises(StoreCorrupt, match=fid(1)):
            await store.events(fid(1))
        assert await seqs(store, 2) == [1]


async def test_a_locked_journal_is_told_and_goes_on_when_free(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path, busy_timeout=0.01)) as store:
        await store.commit(batch_of(run_row(1)))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for attempt in (store.commit(batch_of(**{fid(1): events(1, 1)})), store.claim()):
            with pytest.raises(StoreLocked, match=str(path)):
                await attempt
        assert await seqs(store, 1) == []
        other.execute("ROLLBACK")
        other.close()
        await store.commit(batch_of(**{fid(1): events(1, 1)}))
        assert await seqs(store, 1) == [1]


async def test_a_full_quota_keeps_what_was_committed(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path, quota_bytes=200_000)) as store:
        await store.commit(batch_of(run_row(1), run_row(2)))
        seq, error = 0, None
        while error is None:
            both = {fid(n): events(seq + 1, seq + 1, pad="x" * 5000) for n in (1, 2)}
            try:
                await store.commit(batch_of(**both))
                seq += 1
            except StoreError as caught:
                error = caught
        assert type(error) is StoreFull
        assert str(path) in error.message
        assert seq > 5
        assert await seqs(store, 1) == await seqs(store, 2) == list(range(1, seq + 1))
    async with opened(lambda: SqliteStore(path, quota_bytes=2_000_000)) as store:
        await store.commit(batch_of(**{fid(1): events(seq + 1, seq + 1, pad="x" * 5000)}))
        assert len(await store.events(fid(1))) == seq + 1


def test_a_journal_that_may_not_be_written_says_so():
    folder = Path(tempfile.mkdtemp(prefix="penstock-"))
    path = folder / "journal.db"
    path.touch()
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, CHILD, "refused", path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        folder.chmod(0o755)
        path.unlink()
        folder.rmdir()
    assert done.stdout.startswith(f"StoreError the journal `{path}`"), done
    assert "right to write" in done.stdout


async def test_text_that_is_not_unicode_never_keeps_a_run_from_ending(tmp_path):
    async with opened(lambda: SqliteStore(tmp_path / "journal.db")) as store:
        await store.commit(batch_of(run_row(1, error="\udc80a")))
        ending = batch_of(**{fid(1): events(1, 1, text="\udc80b")})
        ending.changes[fid(1)] = RunChange(fid=fid(1), state=RunState.FAILED, error="\udc80c")
        await store.commit(ending)
        row = await store.run(fid(1))
        (event,) = await store.events(fid(1))
        assert row is not None
        assert row.state is RunState.FAILED
        assert (row.error[-1], event.data["text"][-1]) == ("c", "b")
        assert set(row.error[:-1]) == set(event.data["text"][:-1]) == {"\ufffd"}


async def test_word_for_a_run_may_hold_text_that_is_not_unicode(tmp_path):
    async with opened(lambda: SqliteStore(tmp_path / "journal.db")) as store:
        await store.commit(batch_of(run_row(1, owner=store.owner)))
        await store.signal(fid(1), "cancel \udc80")
        word = await anext(store.signals())
        assert word == (fid(1), "cancel \ufffd\ufffd\ufffd")


async def test_a_closed_store_says_that_it_is_closed(tmp_path):
    store = SqliteStore(tmp_path / "journal.db")
    with pytest.raises(StoreError, match="not open"):
        await store.runs()
    await store.open()
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await store.commit(batch_of(run_row(1)))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StoreFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StoreFull),
        (OSError(errno.EFBIG, "File too large"), StoreFull),
        (OSError(errno.EROFS, "Read-only file system"), StoreError),
        (OSError(errno.EIO, "Input/output error"), StoreError),
        (sqlite3.OperationalError("no code"), StoreError),
    ],
)
def test_errors_of_the_system_are_named(error, kind):
    told = store_error(error, Path("/x/journal.db"))
    assert type(told) is kind
    assert "/x/journal.db" in told.message
    assert told.remedy


async def test_a_disk_without_space_is_told_apart_from_missing_rights(tmp_path, monkeypatch):
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    usual = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((*usual[:4], 0, *usual[5:])))
    assert type(store_error(error, tmp_path / "journal.db")) is StoreFull


async def test_a_file_system_that_holds_no_files_is_not_called_full(tmp_path, monkeypatch):
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    usual = os.statvfs(tmp_path)
    none = os.statvfs_result((*usual[:2], 0, 0, 0, *usual[5:]))  # as /proc says
    monkeypatch.setattr(os, "statvfs", lambda path: none)
    told = store_error(error, tmp_path / "journal.db")
    assert type(told) is StoreError
    assert "may not be written" in told.message


async def test_what_is_damaged_is_told_without_the_head_of_sqlites_report(tmp_path):
    path = tmp_path / "journal.db"
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(run_row(1)))
    with path.open("r+b") as file:
        file.seek(36)  # the number of free pages, which no longer adds up
        file.write(b"\x00\x00\x00\x07")
    async with opened(lambda: SqliteStore(path)) as store:
        with pytest.raises(StoreCorrupt) as caught:
            await store.check()
    reason = caught.value.message.removeprefix(f"`{path}` is not a healthy journal: ")
    assert "***" not in reason
    assert "freelist" in reason.lower()
