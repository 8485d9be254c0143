"""Watching the files of `--from`: they are applied again whenever they are saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.cli.start.sources import SUFFIXES
from penstock.kinds.watch.target import Target
from penstock.kinds.watch.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_MS: Final = 20
"""How long nothing may happen to the files before a save counts as over."""

PATIENCE_SECONDS: Final = 0.5
"""How long a file may be gone or empty: some editors and tools write it anew."""

LOOK_SECONDS: Final = 0.02


async def saves(paths: Sequence[str]) -> AsyncIterator[None]:
    """An item at once, as things may have changed before, and then one for each save.

    paths: files, and folders whose documents are meant. Raises NodeError when they cannot be
    watched.
    """
    with _watcher(paths) as (watcher, in_thread):
        await in_thread(lambda: watcher.begin(existing=False, parents=False))
        while True:
            await _complete(paths)
            yield
            watcher.pending.clear()
            while not watcher.pending:
                await in_thread(watcher.wait)


InThread = Callable[[Callable[[], None]], asyncio.Future[None]]


@contextmanager
def _watcher(paths: Sequence[str]) -> Iterator[tuple[Watcher, InThread]]:
    """A watcher, and how to call its methods: all on the one thread that is its own."""
    watcher = Watcher([target for path in paths for target in _targets(path)], quiet_ms=QUIET_MS)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="penstock:saves") as thread:
        try:
            yield watcher, lambda call: loop.run_in_executor(thread, call)
        finally:
            watcher.stop()
            thread.submit(watcher.close)


def _targets(path: str) -> list[Target]:
    folder = Path(path)
    if not folder.is_dir():
        return [Target.read(path, recursive=False, ignore=())]
    return [
        Target(folder=str(folder.resolve()), pattern=(f"*{suffix}",), ignore=(".*",))
        for suffix in SUFFIXES
    ]


async def _complete(paths: Sequence[str]) -> None:
    """Wait until every file is there and holds something, for a moment."""
    for _ in range(round(PATIENCE_SECONDS / LOOK_SECONDS)):
        if all(map(_holds_something, map(Path, paths))):
            return
        await asyncio.sleep(LOOK_SECONDS)


def _holds_something(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
