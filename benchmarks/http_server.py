"""What a bare handler on our server bears, beside others that say the same, in the same run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from benchmarks.http_load import Load, free_port, load, program, unable
from benchmarks.http_node_red import entry, node_red

_POST: Final = """wrk.method = "POST"
wrk.body = '{"numbers": [1, 2, 3], "text": "hello"}'
wrk.headers["Content-Type"] = "application/json"
"""


async def handler(name: str, *options: str) -> Load:
    """The load that a worker of benchmarks/http_handlers.py bears."""
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.http_handlers", name, str(port)]
    async with program(argv, port=port) as url:
        return await load(url, *options)


async def measure() -> list[Figure]:
    if reason := unable():
        print(f"http_server is not measured: {reason}", file=sys.stderr)  # noqa: T201
        return []
    bare = await handler("penstock")
    figures = [_rate("bare handler, GET", bare, "", None), _p99("bare handler, GET", bare)]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_POST)
        figures.append(
            _rate(
                "bare handler, POST of JSON",
                await handler("penstock", "-s", str(script)),
                "raw protocol on httptools",
                await handler("raw", "-s", str(script)),
            )
        )
    others = {
        "raw protocol on httptools": await handler("raw"),
        "aiohttp, low-level server": await handler("aiohttp"),
    }
    if entry():
        async with node_red() as url:
            others["Node-RED, in → function → response"] = await load(url)
    figures += [_rate("bare handler, GET", bare, name, other) for name, other in others.items()]
    figures.append(
        _rate("handler with a task, GET", await handler("penstock-task"), "bare handler", bare)
    )
    return figures


def _rate(name: str, measured: Load, baseline: str, other: Load | None) -> Figure:
    return Figure(
        name=name,
        value=measured.rate,
        unit="requests/s",
        baseline=baseline,
        baseline_value=other.rate if other else None,
        more=True,
        limit=None if other else 60_000,
    )


def _p99(name: str, measured: Load) -> Figure:
    return Figure(name=f"{name}, p99", value=measured.p99_ms, unit="ms")
