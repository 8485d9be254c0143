"""A runtime that died, or left runs behind, is missed by those that live on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from tests.store.processes import child, line, tell

from penstock.core.store import Shift
from penstock.store import orphans
from penstock.store.sqlite import SqliteStore
from penstock.testing.conformance import fid, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "LOOK_SECONDS", 0.01)


async def heard(store: SqliteStore) -> asyncio.Future[Shift]:
    """What happens next to ownership, for somebody who listens already."""
    shift = asyncio.ensure_future(anext(store.shifts()))
    await asyncio.wait([shift], timeout=0)
    assert not shift.done()
    return shift


@pytest.mark.slow
async def test_the_death_of_a_runtime_is_told_soon(path: Path) -> None:
    async with opened(lambda: SqliteStore(path)) as store, child("leave", path) as other:
        assert store.owner
        assert await line(other) == "owned"
        shift = await heard(store)
        began = time.monotonic()
        other.kill()
        assert await shift is Shift.ORPHANED
        assert time.monotonic() - began < orphans.LOOK_SECONDS + 1
        assert [row.fid for row in await store.claim()] == [fid(1)]


async def test_a_runtime_that_leaves_runs_behind_tells_it_at_once(path: Path) -> None:
    async with opened(lambda: SqliteStore(path)) as store, child("leave", path) as other:
        assert await line(other) == "owned"
        shift = await heard(store)
        began = time.monotonic()
        await tell(other)
        assert await shift is Shift.ORPHANED
        assert time.monotonic() - began < orphans.LOOK_SECONDS
        assert [row.fid for row in await store.claim()] == [fid(1)]
        assert [file.stem for file in (path.parent / "journal.db.owners").iterdir()] == [store.owner]


async def test_a_runtime_that_has_finished_leaves_quietly(path: Path, looks_often: None) -> None:
    async with opened(lambda: SqliteStore(path)) as store, child("leave", path) as other:
        assert await line(other) == "owned"
        shift = await heard(store)
        await tell(other, "done")
        await other.wait()
        await asyncio.wait([shift], timeout=0.1)
        assert not shift.done()
        shift.cancel()
        assert list((path.parent / "journal.db.owners").iterdir()) == []


async def test_who_died_before_anybody_listened_is_told_once(path: Path, looks_often: None) -> None:
    async with opened(lambda: SqliteStore(path)) as store:
        async with child("leave", path) as other:
            await line(other)
        shifts = store.shifts()
        assert await anext(shifts) is Shift.ORPHANED
        again = asyncio.ensure_future(anext(shifts))
        await asyncio.wait([again], timeout=0.1)
        assert not again.done()
        again.cancel()


async def test_who_takes_some_runs_of_the_dead_leaves_the_rest_to_be_told(path: Path) -> None:
    async with opened(lambda: SqliteStore(path)) as store:
        async with child("write", path) as other:  # of three runs
            await line(other)
        async with opened(lambda: SqliteStore(path)) as taker:
            assert [row.fid for row in await taker.claim([fid(1)])] == [fid(1)]
            assert await anext(store.shifts()) is Shift.ORPHANED
            assert [row.fid for row in await store.claim()] == [fid(0), fid(2)]
