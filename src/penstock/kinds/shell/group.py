"""Process groups: a program and everything it started, ended together."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
"""Seconds between two looks at a group that was asked to end."""

_PROC: Final = Path("/proc")


async def end_group(group: int, grace: float) -> None:
    """End what is left of a group: SIGTERM, up to `grace` seconds, SIGKILL.

    A second cancellation while it waits cuts the grace short, and SIGKILL follows at once.
    """
    if not _signal(group, signal.SIGTERM):
        return
    try:
        await _emptied(group, grace)
    finally:
        _signal(group, signal.SIGKILL)


async def _emptied(group: int, seconds: float) -> None:
    """Wait until nothing in the group runs, but no longer than so many seconds."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, _FIRST_PAUSE
    while _runs(group) and loop.time() < deadline:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _signal(group: int, number: int) -> bool:
    """Signal a group; False when there is none any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a dead group
        return False
    return True


def _runs(group: int) -> bool:
    """Whether a process of the group runs.

    The dead ones that nobody has reaped yet count as members for the kernel, and in a
    container without an init they stay for ever; where there is a /proc, they do not count.
    """
    if not _signal(group, 0):
        return False
    if not (_PROC / "self" / "stat").exists():
        return True
    return any(_is_running_member(entry, group) for entry in _PROC.iterdir() if entry.name.isdigit())


def _is_running_member(process: Path, group: int) -> bool:
    try:
        # "pid (name) state ppid pgrp …"; the name may hold anything, parentheses included.
        state, _, member_of = (process / "stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:  # it ended in between
        return False
    return int(member_of) == group and state not in "ZX"
