"""Bounds: how long one input may take, and what is left of one that takes longer."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fuzz.report import Report

CPU_SECONDS: Final = 5.0
"""What one input may cost. Processor time, because other programs share the machine."""
WALL_SECONDS: Final = 60.0
"""After this, whatever it is doing, the process is ended and says where it was."""
LAST_INPUT: Final = "last-input"
"""The file that keeps the input at work, so that it is there even if the process dies of it."""


class Watchdog:
    """Watches one input at a time, and counts them. folder: where the last input is kept."""

    def __init__(self, folder: Path) -> None:
        self.kept = folder / LAST_INPUT
        self.inputs = 0
        self.size_bytes = 0
        self.slowest_seconds = 0.0

    @contextmanager
    def over(self, raw: bytes) -> Iterator[None]:
        """Count an input, and see to it that its end is seen. Raises AssertionError."""
        self.kept.write_bytes(raw)
        self.inputs += 1
        self.size_bytes += len(raw)
        faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
        began = time.process_time()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
        taken = time.process_time() - began
        self.slowest_seconds = max(self.slowest_seconds, taken)
        assert taken <= CPU_SECONDS, f"{len(raw)} bytes took {taken:.1f} s"

    def report(self, campaign: str, *, accepted: int) -> Report:
        """What it has seen."""
        return Report(
            campaign=campaign,
            inputs=self.inputs,
            size_bytes=self.size_bytes,
            accepted=accepted,
            slowest_seconds=self.slowest_seconds,
        )
