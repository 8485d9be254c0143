"""The kinds in flow documents, run by the engine from end to end."""

from __future__ import annotations

import asyncio
import inspect
import os
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from penstock import Runtime, load_flow
from penstock.core.errors import DocumentError, RunCancelled, RunFailed
from penstock.kinds.debug import Inspect, Log
from penstock.kinds.files import FileRead, FileWrite
from penstock.kinds.http.request import HttpRequest
from penstock.kinds.python import Python
from penstock.kinds.shell.exec import ShellExec
from penstock.kinds.time import Delay
from penstock.kinds.transform import JsonParse, JsonStringify

from .http_server import serve

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.core.events import Event
    from penstock.engine.kind import Node


class Flows:
    """Writes a document, runs it in memory, and keeps what happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []

    def load(self, document: str) -> Any:
        path = self.folder / "flow.yaml"
        path.write_text(document)
        return load_flow(str(path))

    async def run(self, document: str, **inputs: Any) -> Any:
        async with Runtime("memory:") as runtime:
            run = await runtime.start(self.load(document), **inputs)
            self.events = [event async for event in run.events()]
            return await run.result()

    def told(self, node: str, *types: str) -> list[Any]:
        fields = ("message", "line", "value")
        return [
            next(event.data[field] for field in fields if field in event.data)
            for event in self.events
            if event.node == node and event.type in types
        ]


@pytest.fixture
def flows(tmp_path: Path) -> Flows:
    return Flows(tmp_path)


PIPELINE = """
flow: zen
inputs: {url: {type: string}}
nodes:
  - {kind: http.request, name: fetch, links: {body: parse.json}}
  - {kind: transform.json_parse, name: parse, links: {parsed: log.message}}
  - {kind: debug.log, name: log}
"""


async def test_the_pipeline_of_the_seed_fetches_parses_and_logs(flows: Flows) -> None:
    async with serve() as server:
        result = await flows.run(PIPELINE, url=f"{server.url}/json")
    assert result == {"name": "Ada", "tags": ["é"]}
    assert flows.told("fetch", "node.message") == [f"GET {server.url}/json"]
    assert flows.told("log", "node.message") == ['DEBUG: {"name":"Ada","tags":["é"]}']
    assert [(event.type, event.node) for event in flows.events] == [
        ("run.started", ""),
        ("node.started", "fetch"),
        ("node.message", "fetch"),
        ("node.completed", "fetch"),
        ("node.started", "parse"),
        ("node.completed", "parse"),
        ("node.started", "log"),
        ("node.message", "log"),
        ("node.completed", "log"),
        ("run.completed", ""),
    ]


async def test_every_attempt_of_a_request_carries_the_same_key(flows: Flows) -> None:
    document = """
flow: post
inputs: {url: {type: string}}
nodes:
  - kind: http
    name: post
    method: POST
    body: {a: 1}
    retry: {attempts: 3, delay: 1ms, on: [http.status]}
"""
    async with serve() as server:
        with pytest.raises(RunFailed, match="503"):
            await flows.run(document, url=f"{server.url}/status?code=503")
        keys = {headers["idempotency-key"] for _, _, headers, _ in server.requests}
        assert len(server.requests) == 3
        assert len(keys) == 1


async def test_an_error_port_gets_the_details_of_a_failed_request(flows: Flows) -> None:
    document = """
flow: caught
inputs: {url: {type: string}}
nodes:
  - {kind: http, name: fetch, links: {error: log}}
  - {kind: log, name: log}
"""
    async with serve() as server:
        error = await flows.run(document, url=f"{server.url}/status?code=404")
    assert (error.code, error.details["status"], error.node) == ("http.status", 404, "fetch")


async def test_a_status_linked_to_json_text_is_refused_before_it_runs(flows: Flows) -> None:
    with pytest.raises(DocumentError, match="is int"):
        flows.load("""
flow: wrong
nodes:
  - {kind: http.request, name: fetch, url: http://h/, links: {status: parse.json}}
  - {kind: transform.json_parse, name: parse}
""")


async def test_a_program_streams_its_lines_into_the_run(flows: Flows) -> None:
    document = """
flow: shell
nodes:
  - {kind: shell.exec, name: run, command: 'echo one; echo two >&2; echo three', links: {stdout: log}}
  - {kind: log, name: log}
"""
    assert await flows.run(document) == "one\nthree\n"
    assert flows.told("run", "node.stdout") == ["one", "three"]
    assert flows.told("run", "node.stderr") == ["two"]


async def test_the_timeout_of_a_node_ends_its_program(flows: Flows) -> None:
    document = """
flow: slow
nodes:
  - {kind: shell.exec, name: run, command: "echo $$; sleep 60", timeout: 500ms}
"""
    with pytest.raises(RunFailed, match="took longer than 500ms"):
        await flows.run(document)
    (pid,) = flows.told("run", "node.stdout")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


@pytest.mark.parametrize(
    "node", ["{kind: delay, name: n, duration: 10m}", "{kind: shell, name: n, command: sleep 600}"]
)
async def test_a_cancelled_run_ends_at_once(flows: Flows, node: str) -> None:
    async with Runtime("memory:") as runtime:
        run = await runtime.start(flows.load(f"flow: slow\nnodes:\n  - {node}\n"))
        async for event in run.events():
            if event.type == "node.started":
                break
        began = time.monotonic()
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        assert time.monotonic() - began < 0.5
        types = [event.type async for event in run.events()]
    assert types.count("run.cancelled") == 1


async def test_json_of_a_program_reaches_a_function_and_then_a_file(
    flows: Flows, tmp_path: Path
) -> None:
    code = (
        "def report(words: list[str], width: int = 1) -> str: return ' '.join(words).ljust(width, '!')"
    )
    (tmp_path / "report_functions.py").write_text(code)
    document = f"""
flow: report
nodes:
  - kind: shell.exec
    name: words
    command: [printf, '%s', '["a", "b"]']
    links: {{json: text}}
  - kind: python
    name: text
    function: report_functions:report
    args: {{width: 5}}
    links: {{out: save.content}}
  - kind: file.write
    name: save
    path: {tmp_path}/out/report.txt
    parents: true
    links: {{path: read.path}}
  - {{kind: file.read, name: read}}
"""
    assert await flows.run(document) == "a b!!"


async def test_everything_wrong_with_a_python_node_is_told_before_it_runs(flows: Flows) -> None:
    with pytest.raises(DocumentError, match="did you mean `fmean`"):
        flows.load("flow: f\nnodes:\n  - {kind: python, name: p, function: 'statistics:fmaen'}\n")


async def test_delay_stringify_and_inspect_pass_their_payload_on(flows: Flows) -> None:
    document = """
flow: chain
inputs: {in: {type: object}}
nodes:
  - {kind: time.delay, name: nap, delay_ms: 1, links: {out: look}}
  - {kind: debug.inspect, name: look, links: {out: text}}
  - {kind: transform.json_stringify, name: text, sort_keys: true}
"""
    assert await flows.run(document, **{"in": {"b": 1, "a": 2}}) == '{"a":2,"b":1}'
    assert flows.told("look", "node.message") == ["object of 2: {b: integer, a: integer}"]


OURS = (
    Log,
    Inspect,
    Delay,
    JsonParse,
    JsonStringify,
    FileRead,
    FileWrite,
    Python,
    ShellExec,
    HttpRequest,
)


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.kind)
def test_the_example_of_every_kind_compiles(flows: Flows, kind: type[Node]) -> None:
    example = inspect.cleandoc(kind.__doc__ or "").partition("Example:\n")[2]
    assert kind.kind in example
    assert flows.load(textwrap.dedent(example)).name


@pytest.mark.parametrize(
    "kind", [Log, JsonParse, JsonStringify, Python, ShellExec], ids=lambda kind: kind.kind
)
async def test_the_example_of_a_kind_that_needs_nothing_runs(flows: Flows, kind: type[Node]) -> None:
    example = inspect.cleandoc(kind.__doc__ or "").partition("Example:\n")[2]
    assert await flows.run(textwrap.dedent(example)) is not None


async def test_two_delays_side_by_side_overlap(flows: Flows) -> None:
    document = """
flow: side
nodes:
  - {kind: delay, name: a, duration: 150ms}
  - {kind: delay, name: b, duration: 180ms}
"""
    began = asyncio.get_running_loop().time()
    await flows.run(document)
    assert asyncio.get_running_loop().time() - began < 0.3
