"""Processes of their own, on the store of a test."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def child(task: str, url: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that does a task of child.py, and is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, CHILD, task, str(url), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    """The next line that it prints, or nothing after the last one."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def tell(process: asyncio.subprocess.Process, word: str = "") -> None:
    """Give it the line that it waits for."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n".encode())
    await process.stdin.drain()
