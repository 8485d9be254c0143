"""What a graph behind a listener bears, beside a bare handler on the same server, in the same run.

`listener → router → snippet`, as `penstock start` serves it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.figure import Figure
from benchmarks.http_load import Served, free_port, loads, program, unable
from benchmarks.http_node_red import entry, node_red
from benchmarks.http_server import compared

BARE: Final = "bare handler"
GRAPH: Final = "listener → router → snippet"
STEP: Final = "listener → router → step of a snippet"
WAITS: Final = "listener → router → step that may wait"
NODE_RED: Final = "Node-RED, in → function → response"


def graph(port: int, answer: dict[str, Any]) -> str:
    """A graph whose one route leads to a node, as a document."""
    listener = {"kind": "listener", "name": "web", "port": port, "links": {"out": "router"}}
    routes = [{"method": "GET", "path": "/", "port": "out[0]"}]
    router = {"kind": "router", "name": "router", "routes": routes, "links": {"out[0]": "answer"}}
    return json.dumps([listener, router, {**answer, "name": "answer"}])


async def measure() -> list[Figure]:
    if reason := unable():
        print(f"http_graph is not measured: {reason}", file=sys.stderr)  # noqa: T201
        return []
    snippet = {"kind": "snippet", "language": "json", "code": '{"hello": "world"}'}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        async def start(answer: dict[str, Any]) -> Served:
            port = free_port()
            file = folder / f"{port}.json"
            file.write_text(graph(port, answer))
            argv = [sys.executable, "-m", "penstock", "start", "--from", str(file)]
            env = {"PENSTOCK_STORE": "memory:", "PENSTOCK_LOG_LEVEL": "error"}
            return await stack.enter_async_context(program(argv, port=port, env=env))

        async def bare() -> Served:
            port = free_port()
            argv = [sys.executable, "-m", "benchmarks.http_handlers", "penstock", str(port)]
            return await stack.enter_async_context(program(argv, port=port))

        # Nobody can know beforehand that it does not, so it has a process and a task.
        delay = {"kind": "time.delay", "duration": "0s"}
        servers = {
            BARE: await bare(),
            GRAPH: await start(snippet),
            STEP: await start({"kind": "step", "specs": [snippet]}),
            WAITS: await start({"kind": "step", "specs": [delay, snippet]}),
        }
        if entry():
            servers[NODE_RED] = await stack.enter_async_context(node_red())
        found = await loads(servers)
    figures = compared(GRAPH, found[GRAPH], BARE, found[BARE])
    figures.append(
        Figure(
            name=f"{GRAPH}, p99",
            value=found[GRAPH].p99_ms,
            unit="ms",
            baseline=BARE,
            baseline_value=found[BARE].p99_ms,
        )
    )
    figures += compared(STEP, found[STEP], BARE, found[BARE])
    figures += compared(WAITS, found[WAITS], BARE, found[BARE])
    if NODE_RED in found:
        figures += compared(GRAPH, found[GRAPH], NODE_RED, found[NODE_RED])
    return figures
