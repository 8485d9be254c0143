from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from penstock import Runtime
from penstock.executors.subprocess import Pool

Opened = Callable[..., AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def opened(url: str) -> Opened:
    """Opens a runtime with workers, over the store of the test unless another one is named."""

    @asynccontextmanager
    async def opened(
        store: str = url, *, evict_after: float = 5.0, **pool: object
    ) -> AsyncIterator[Runtime]:
        workers = Pool(**{"workers": 2, "grace": 2.0, **pool})  # type: ignore[arg-type]
        async with Runtime(store, executors={"subprocess": workers}, evict_after=evict_after) as runtime:
            yield runtime
        assert workers.workers == []

    return opened


@pytest.fixture
async def runtime(opened: Opened) -> AsyncIterator[Runtime]:
    async with opened() as runtime:
        yield runtime


async def until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition, with a bound."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.005)


def lives(pid: int) -> bool:
    """Whether a process runs; one that is dead but not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def trace_of(tmp_path: Path) -> str:
    return os.fspath(tmp_path / "trace")
