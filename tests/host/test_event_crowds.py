"""Many who follow runs of a `penstock serve` process: what they see, how late, and what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from benchmarks.crowd import CrowdHost, crowd_host, percentile
from benchmarks.streams import FLOWS, follow_one, idle_share, lateness

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROUNDS = 3
"""Other work on the machine makes everything late: one of so many rounds has to do. What the disk
takes meanwhile is not the host's, either."""

WRITES = 3
"""So many writes an event may have to wait for: the commit before, its own, and a checkpoint."""


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[CrowdHost]:
    async with crowd_host(tmp_path, FLOWS) as started:
        yield started


async def test_two_hundred_who_are_cut_and_come_again_see_each_event_once_in_order(
    host: CrowdHost,
) -> None:
    followed = await follow_one(host, subscribers=200, events=10_000, cut=True)
    assert followed.exact


async def test_events_are_hardly_late_while_a_hundred_runs_talk(host: CrowdHost) -> None:
    found: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        late = await lateness(host, runs=100, words=60, pause_ms=50)
        assert len(late.events_ms) > 1000
        events_ms, disk_ms = percentile(late.events_ms, 0.99), percentile(late.disk_ms, 0.99)
        if events_ms <= 20 + WRITES * disk_ms:
            return
        found.append((events_ms, disk_ms))
    pytest.fail(f"p99 of events and of the disk, in ms: {found}")


async def test_a_thousand_who_wait_cost_next_to_nothing(host: CrowdHost) -> None:
    assert await idle_share(host, subscribers=1000, runs=100, seconds=5) < 0.02
