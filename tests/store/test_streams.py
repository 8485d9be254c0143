"""Properties of streams, whatever is in them and however it is cut into commits."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.events import Event
from penstock.core.payload import Error
from penstock.core.states import RunState
from penstock.core.store import RunChange
from penstock.store import chunks
from penstock.store.blobs import BlobFolder
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import batch_of, events, fid, opened, run_row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=30)
    | st.builds(Error, code=TEXT, message=TEXT, node=TEXT, details=st.integers(), remedy=TEXT)
)
PAYLOADS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
DATA = st.dictionaries(
    st.sampled_from(["outputs", "inputs", "result", "value"]) | TEXT, PAYLOADS, max_size=4
)
MOMENTS = st.floats(min_value=0, max_value=4e9)
COMMITS = st.lists(st.lists(st.tuples(MOMENTS, TEXT, TEXT, DATA), min_size=1, max_size=3), max_size=6)


def as_events(commits):
    seq, found = 0, []
    for commit in commits:
        found.append([])
        for time, kind, node, data in commit:
            seq += 1
            found[-1].append(Event(seq, time, kind, node, data))
    return found


@settings(max_examples=40, deadline=None)
@given(commits=COMMITS, after=st.integers(0, 20), limit=st.none() | st.integers(0, 20))
def test_a_stream_reads_back_from_anywhere_however_it_was_committed(commits, after, limit):
    written = as_events(commits)

    async def write_and_read(path):
        async with opened(lambda: SqliteStore(path)) as store:
            await store.commit(batch_of(run_row(1)))
            for part in written:
                await store.commit(batch_of(**{fid(1): part}))
            return await store.events(fid(1), after=after, limit=limit)

    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(write_and_read(Path(folder) / "journal.db"))
    rest = [event for part in written for event in part][after:]
    assert found == rest[: len(found)]
    assert len(found) >= min(len(rest), len(rest) if limit is None else limit)


@settings(max_examples=30, deadline=None)
@given(commits=COMMITS)
def test_a_chunk_reads_back_when_everything_in_it_is_a_blob(commits):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "BLOB_BYTES", 0)
        blobs = BlobFolder(Path(folder) / "blobs")
        for part in as_events(commits):
            body = chunks.pack("F", part, blobs)
            assert list(chunks.unpack("F", part[0].seq, body, blobs)) == part


async def test_a_run_that_waits_or_has_ended_holds_no_memory(tmp_path):
    async with opened(lambda: SqliteStore(tmp_path / "journal.db")) as store:
        for number, state in enumerate(RunState):
            batch = batch_of(run_row(number), **{fid(number): events(1, 1)})
            batch.changes[fid(number)] = RunChange(fid=fid(number), state=state)
            await store.commit(batch)
        assert set(store._tails) == {fid(0), fid(1)}  # the pending and the running one
