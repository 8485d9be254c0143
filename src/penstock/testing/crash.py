"""Killing a process on purpose, to see what it leaves behind.

In the process that shall die:

    crash = CrashPoint.from_environment()
    async with Runtime(ProbedStore(SqliteStore(path), crash), probe=crash) as runtime: ...

In the test:

    victim = Victim([sys.executable, "-m", "my.flows"], log=tmp_path / "log")
    victim.run(crash_at="node.executed", hit=3)      # dies there, by SIGKILL
    assert victim.run() == 0                         # is started again, and finishes
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

from penstock.testing.faults import FaultyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from penstock.core.store import Batch, Store

VARIABLE: Final = "PENSTOCK_CRASH"
"""The environment variable that says where a process dies: `POINT:HIT`."""

KILLED: Final = -signal.SIGKILL
"""What `Victim.run` returns for a process that was killed."""

_LOOK_SECONDS: Final = 0.001


class CrashPoint:
    """A probe that kills its own process at the nth hit of a named point, from 1."""

    def __init__(self, point: str = "", hit: int = 1) -> None:
        self.point = point
        self.left = hit

    @classmethod
    def from_environment(cls) -> CrashPoint:
        """The point that the environment names, or one that is never met."""
        point, _, hit = os.environ.get(VARIABLE, "").partition(":")
        return cls(point, int(hit or 1))

    def __call__(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class ProbedStore(FaultyStore):
    """Another store that tells a probe of each commit: `commit.begins`, `commit.done`."""

    def __init__(self, store: Store, probe: Callable[[str], None]) -> None:
        super().__init__(store)
        self._probe = probe

    async def commit(self, batch: Batch) -> None:
        self._probe("commit.begins")
        await super().commit(batch)
        self._probe("commit.done")


class Victim:
    """A command that is run again and again, and killed with SIGKILL in between.

    log: a file that takes everything it prints. timeout: seconds after which a run that
    neither ended nor was killed counts as hung; TimeoutError.
    """

    def __init__(self, command: Sequence[str], *, log: Path, timeout: float = 60.0) -> None:
        self.command = list(command)
        self.log = log
        self.timeout = timeout
        self.kills = 0

    def run(
        self,
        *,
        crash_at: str = "",
        hit: int = 1,
        kill_when: Callable[[], bool] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run the command once, to its end or death. Returns its exit code, or `KILLED`.

        crash_at, hit: where it kills itself, if it has a `CrashPoint`. kill_when: asked
        every millisecond; True kills it.
        """
        variables = {**os.environ, **(environment or {})}
        variables.pop(VARIABLE, None)
        if crash_at:
            variables[VARIABLE] = f"{crash_at}:{hit}"
        end = time.monotonic() + self.timeout
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the command is the test's own
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables
            )
        try:
            while process.poll() is None:
                if kill_when is not None and kill_when():
                    break
                if time.monotonic() > end:
                    raise TimeoutError(f"still running after {self.timeout} s: {self.output()[-2000:]}")
                time.sleep(_LOOK_SECONDS)
        finally:
            process.kill()
            code = process.wait()
        self.kills += code == KILLED
        return code

    def output(self) -> str:
        """All that it printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""
