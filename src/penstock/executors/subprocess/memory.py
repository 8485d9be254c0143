"""How much memory a process has, as far as the system tells, and how much it may have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HEADROOM_BYTES: Final = 512 * 2**20
"""Beyond a run's limit before an allocation is refused: stacks of threads are not all in use."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident_bytes(pid: int) -> int | None:
    """The resident memory of a process; None where it has ended, or the system has no /proc."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return None


def limit_memory(memory_bytes: int | None) -> None:
    """Refuse this process allocations far beyond a limit; None lifts what held before.

    The host watches what is resident. This is for the one allocation that is larger than all that
    the machine has, between two looks.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if memory_bytes is None:
        wanted = hard
    else:
        wanted = memory_bytes + HEADROOM_BYTES
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
    if wanted != soft:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
