"""The campaigns: how much each does in a run of the tests, and how they are run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.fuzz.report import Report, read_report
from tests.fuzz.watchdog import LAST_INPUT

ROOT: Final = Path(__file__).parents[2]
CAMPAIGNS: Final[dict[str, float]] = {
    "guided": 10.0, "applied": 8.0, "mutated": 8.0, "requested": 3.0, "generated": 1.0, "commanded": 1.0,
}  # fmt: skip
"""Megabytes of each."""
AT_ONCE: Final = 2
_SHOWN_BYTES: Final = 4000


class Failed(AssertionError):
    """A campaign found something: its last words, and the input that was at work."""


def available() -> list[str]:
    """The campaigns that can be run here: atheris comes for Linux, and not for every Python."""
    return [name for name in CAMPAIGNS if name != "guided" or find_spec("atheris") is not None]


def run_all(*, times: float = 1.0, seed: int = 1) -> list[Report]:
    """Run every campaign, two at a time. Raises Failed."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = [
            threads.submit(run, name, megabytes=CAMPAIGNS[name] * times, seed=seed)
            for name in available()
        ]
        return [each.result() for each in running]


def run(campaign: str, *, megabytes: float, seed: int, options: Sequence[str] = ()) -> Report:
    """Run a campaign in a process of its own, behind a fence. Raises Failed.

    Whatever it dies of, the input that was at work is part of the message.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-fuzz-") as folder:
        command = [
            *(sys.executable, "-X", "faulthandler", "-m", "tests.fuzz", campaign, "--folder", folder),
            *("--megabytes", str(megabytes), "--seed", str(seed), *options),
        ]
        done = subprocess.run(command, capture_output=True, cwd=folder, env=_environment(), check=False)
        output = done.stdout.decode("utf-8", "replace")
        if done.returncode == 0:
            return read_report(output)
        kept = Path(folder, LAST_INPUT)
        last = kept.read_bytes() if kept.exists() else b""
        raise Failed(
            f"{campaign} (seed {seed}) ended with {done.returncode}\n"
            f"{done.stderr[-_SHOWN_BYTES:].decode('utf-8', 'replace')}\n"
            f"the input, {len(last)} bytes:\n{last[:_SHOWN_BYTES]!r}"
        )


def _environment() -> dict[str, str]:
    # The same documents for the same seed: nothing may depend on the order of a set.
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths.rstrip(os.pathsep), "PYTHONHASHSEED": "0"}
