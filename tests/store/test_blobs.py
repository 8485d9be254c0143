"""Large payloads live in files of their own."""

import pytest

from penstock.core.errors import StoreCorrupt
from penstock.core.events import Event
from penstock.store.chunks import BLOB_BYTES
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import batch_of, events, fid, opened, run_row, seqs

LARGE = "x" * (BLOB_BYTES + 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def blob_files(tmp_path):
    return lambda: [file for file in tmp_path.glob("journal.db.blobs/*/*") if file.is_file()]


async def write(path, **data):
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(
            batch_of(run_row(1), **{fid(1): [Event(1, 1.0, "node.completed", "n", data)]})
        )


async def test_each_large_output_is_a_file_and_small_ones_stay(path, blob_files):
    await write(path, outputs={"a": LARGE, "b": LARGE + "y", "small": 1}, state=LARGE)
    assert len(blob_files()) == 2  # `a` and `state` are equal, so they share one
    assert path.stat().st_size < BLOB_BYTES


async def test_a_payload_of_the_limit_stays_in_the_journal(path, blob_files):
    await write(path, value="x" * (BLOB_BYTES - 5), other=list(range(1000)))
    assert blob_files() == []


async def test_an_equal_payload_is_written_once(path, blob_files):
    await write(path, value=LARGE)
    (before,) = blob_files()
    stamp = before.stat().st_mtime_ns
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(**{fid(1): events(2, 2, result=LARGE)}))
        assert [event.data for event in await store.events(fid(1))] == [
            {"value": LARGE},
            {"result": LARGE},
        ]
    (after,) = blob_files()
    assert (after, after.stat().st_mtime_ns) == (before, stamp)


async def test_a_cut_file_is_healed_by_the_next_write(path, blob_files):
    await write(path, value=LARGE)
    (file,) = blob_files()
    file.write_bytes(file.read_bytes()[:100])
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(**{fid(1): events(2, 2, value=LARGE)}))
        assert [event.data["value"] for event in await store.events(fid(1))] == [LARGE, LARGE]


@pytest.mark.parametrize("damage", ["missing", "changed"])
async def test_a_damaged_blob_names_its_run_and_file_and_harms_no_other(path, blob_files, damage):
    await write(path, value=LARGE)
    (file,) = blob_files()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"y" * file.stat().st_size)
    async with opened(lambda: SqliteStore(path)) as store:
        await store.commit(batch_of(run_row(2), **{fid(2): events(1, 1), fid(1): events(2, 2)}))
        with pytest.raises(StoreCorrupt) as caught:
            await store.events(fid(1))
        assert fid(1) in caught.value.message
        assert str(file) in caught.value.message
        assert await seqs(store, 1, after=1) == [2]
        assert await seqs(store, 2) == [1]


async def test_no_unfinished_file_is_left(path, tmp_path, blob_files):
    await write(path, value=LARGE)
    assert list(tmp_path.glob("**/*.part")) == []
    (file,) = blob_files()
    assert len(file.parent.name + file.name) == 64
