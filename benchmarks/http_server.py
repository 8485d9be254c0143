"""What a bare handler on our server bears, beside others that say the same, in the same run."""

from __future__ import annotations

import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.figure import Figure
from benchmarks.http_load import Load, Served, free_port, loads, program, unable
from benchmarks.http_node_red import entry, node_red

_POST: Final = """wrk.method = "POST"
wrk.body = '{"numbers": [1, 2, 3], "text": "hello"}'
wrk.headers["Content-Type"] = "application/json"
"""

BARE: Final = "bare handler"
TASK: Final = "handler with a task"
POSTED: Final = "bare handler, POST of JSON"
RAW: Final = "raw protocol on httptools"
RAW_POSTED: Final = "raw protocol, POST of JSON"
AIOHTTP: Final = "aiohttp, low-level server"
NODE_RED: Final = "Node-RED, in → function → response"


async def measure() -> list[Figure]:
    if reason := unable():
        print(f"http_server is not measured: {reason}", file=sys.stderr)  # noqa: T201
        return []
    async with AsyncExitStack() as stack:
        script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "post.lua"
        script.write_text(_POST)

        async def worker(name: str, *options: str) -> Served:
            port = free_port()
            argv = [sys.executable, "-m", "benchmarks.http_handlers", name, str(port)]
            served = await stack.enter_async_context(program(argv, port=port))
            return served._replace(options=options)

        servers = {
            BARE: await worker("penstock"),
            TASK: await worker("penstock-task"),
            POSTED: await worker("penstock", "-s", str(script)),
            RAW: await worker("raw"),
            RAW_POSTED: await worker("raw", "-s", str(script)),
            AIOHTTP: await worker("aiohttp"),
        }
        if entry():
            servers[NODE_RED] = await stack.enter_async_context(node_red())
        return figures(await loads(servers))


def figures(found: dict[str, Load]) -> list[Figure]:
    bare = found[BARE]
    table = [
        Figure(name=BARE, value=bare.rate, unit="requests/s", more=True, limit=60_000),
        Figure(name=f"{BARE}, p99", value=bare.p99_ms, unit="ms"),
        Figure(name=f"{BARE}, processor", value=bare.cpu_us, unit="µs/request"),
    ]
    for name, baseline in (
        (BARE, RAW),
        (POSTED, RAW_POSTED),
        (BARE, AIOHTTP),
        (BARE, NODE_RED),
        (TASK, BARE),
    ):
        if baseline in found:
            table += compared(name, found[name], baseline, found[baseline])
    return table


def compared(name: str, load: Load, baseline: str, other: Load) -> list[Figure]:
    """Two servers: requests per second, and the processor time that each request takes."""
    return [
        Figure(
            name=name,
            value=load.rate,
            unit="requests/s",
            baseline=baseline,
            baseline_value=other.rate,
            more=True,
        ),
        Figure(
            name=f"{name}, processor",
            value=load.cpu_us,
            unit="µs/request",
            baseline=baseline,
            baseline_value=other.cpu_us,
        ),
    ]
