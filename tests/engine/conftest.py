from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.runtime import Runtime
from penstock.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of a store on disk, for runtimes that go on after each other."""
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """A runtime that forgets, on the clock of the world."""
    async with Runtime("memory:") as runtime:
        yield runtime


@pytest.fixture
async def timed(clock: FakeClock) -> AsyncIterator[Runtime]:
    """A runtime that forgets, on the test's clock."""
    async with Runtime("memory:", clock=clock) as runtime:
        yield runtime
