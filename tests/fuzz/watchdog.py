"""Bounds: how long one input may take, and what is left of one that takes longer."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CPU_SECONDS: Final = 5.0
"""What one input may cost. Processor time, because other programs share the machine."""
WALL_SECONDS: Final = 60.0
"""After this, whatever it is doing, the process is ended and says where it was."""


class Hung(AssertionError):
    """An input took longer than it may."""


class Watchdog:
    """Watches one input at a time.

    The input is kept in a file while it is looked at, so that it can be found even if the
    process dies of it. slowest: processor seconds and the beginning of the input that took most.
    """

    def __init__(self, folder: Path) -> None:
        self.kept = folder / "last-input"
        self.inputs = 0
        self.bytes = 0
        self.slowest: tuple[float, bytes] = (0.0, b"")

    @contextmanager
    def over(self, data: bytes) -> Iterator[None]:
        """Count an input, and see to it that its end is seen. Raises Hung."""
        self.kept.write_bytes(data)
        self.inputs += 1
        self.bytes += len(data)
        faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
        began = time.process_time()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
        taken = time.process_time() - began
        if taken > self.slowest[0]:
            self.slowest = taken, data[:2000]
        if taken > CPU_SECONDS:
            raise Hung(f"{taken:.1f} s for {len(data)} bytes")
