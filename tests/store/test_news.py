"""Waiting for what other processes commit: one look at the file for all who wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.engine.watching import until

from penstock.core.errors import StoreError
from penstock.core.events import Event
from penstock.core.states import RunState
from penstock.core.store import Batch, RunRow
from penstock.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 10.0


def batch(fid: str, seq: int) -> Batch:
    """One event of a run, which begins with its first."""
    made = Batch()
    if seq == 1:
        made.runs.append(RunRow(fid=fid, flow="f", state=RunState.RUNNING))
    made.events[fid] = [Event(seq, 0.0, "node.message")]
    return made


class Counting(SqliteStore):
    """Counts its looks."""

    looks = 0

    def _mark(self) -> tuple[int, int]:
        self.looks += 1
        return super()._mark()


async def test_hundreds_who_wait_share_one_look_and_only_those_with_news_go_on(tmp_path: Path) -> None:
    here, there = Counting(tmp_path / "store.db", poll=0.01), SqliteStore(tmp_path / "store.db")
    await here.open()
    await there.open()
    fids = [f"1m7wnz9ax4qtr5d3q{number:03}" for number in range(300)]
    for fid in fids:
        await there.commit(batch(fid, 1))
    waiting = {fid: asyncio.ensure_future(here.changed(fid, after=1)) for fid in fids}
    await until(lambda: here.looks >= 3)
    assert here.looks < 100
    assert not any(each.done() for each in waiting.values())
    for fid in fids[:2]:
        await there.commit(batch(fid, 2))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(waiting[fid] for fid in fids[:2]))
    assert [fid for fid in fids if waiting[fid].done()] == fids[:2]
    for each in waiting.values():
        each.cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)
    await until(lambda: here._news._timer is None)  # nobody waits, and nobody looks
    await there.close()
    await here.close()


async def test_what_is_there_already_is_not_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    await store.commit(batch("1m7wnz9ax4qtr5d3qxyq", 1))
    await asyncio.wait_for(store.changed("1m7wnz9ax4qtr5d3qxyq", after=0), PATIENCE_SECONDS)
    await store.close()


async def test_who_waits_is_told_when_the_store_closes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", poll=0.01)
    await store.open()
    waiting = asyncio.ensure_future(store.changed("1m7wnz9ax4qtr5d3qxyq", after=0))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreError, match="is not open"):
        await asyncio.wait_for(waiting, PATIENCE_SECONDS)
