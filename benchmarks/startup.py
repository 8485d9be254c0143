"""What a start of the command costs, beside the start of the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure

HELLO = Path(__file__).parent.parent / "examples" / "hello.yaml"
ROUNDS = 15


def _seconds(argv: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - began


async def measure() -> list[Figure]:
    command = str(Path(sys.executable).with_name("penstock"))
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PENSTOCK_STORE": f"sqlite:///{folder}/penstock.db"}
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "version": [command, "version"],
            "hello": [command, "run", str(HELLO)],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, argv in commands.items():
                taken[name].append(_seconds(argv, env))
    bare, version, hello = (min(taken[name]) * 1000 for name in ("python", "version", "hello"))
    base = {"baseline": "python -c pass", "baseline_value": bare, "of_baseline": True}
    return [
        Figure(name="penstock version", value=version, unit="ms", limit=9, **base),  # type: ignore[arg-type]
        Figure(name="penstock run examples/hello.yaml", value=hello, unit="ms", limit=28, **base),  # type: ignore[arg-type]
    ]
