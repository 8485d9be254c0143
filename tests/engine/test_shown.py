"""The pictures of the seeds, run for real: the pipeline, the overlap, the merge that does not wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import data_of, lines, result_of, seen, story

from penstock import Event, Runtime
from penstock.core.states import RunState
from penstock.testing.clock import FakeClock


class Zen(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"zen": "Keep it logically awesome.", "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a web server of our own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Zen) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="zen")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


PIPELINE = """
flow: zen
description: Fetch a line and log it
inputs: {url: {type: string, format: uri}}
required: [url]
nodes:
  - {kind: http.request, name: fetch, method: GET, links: {body: parse.json}}
  - {kind: transform.json_parse, name: parse, links: {parsed: log.message}}
  - {kind: debug.log, name: log}
"""


async def test_the_pipeline_of_the_seed_tells_its_story_in_order(runtime: Runtime, site: str) -> None:
    run = await runtime.start(graph(PIPELINE), url=f"{site}/zen")
    assert await result_of(run) == {"zen": "Keep it logically awesome.", "path": "/zen"}
    events = await story(run)
    assert lines(events) == [
        "run.started",
        "node.started fetch",
        "node.message fetch",
        "node.completed fetch",
        "node.started parse",
        "node.completed parse",
        "node.started log",
        "node.message log",
        "node.completed log",
        "run.completed",
    ]
    assert data_of(events, "node.message", "fetch")[0]["message"] == f"GET {site}/zen"
    durations = {
        event.node: event.data["duration_ms"] for event in events if "duration_ms" in event.data
    }
    assert set(durations) == {"", "fetch", "parse", "log"}
    assert all(duration >= 0 for duration in durations.values())
    assert durations[""] >= durations["fetch"]
    assert (await run.row()).state is RunState.COMPLETED


OVERLAP = """
flow: overlap
settings: {max_parallel: %d}
nodes:
  - {kind: snippet, name: start, language: json, code: "7", links: {out: [left, right]}}
  - {kind: time.delay, name: left, duration: 150ms, links: {out: "both.in[0]"}}
  - {kind: time.delay, name: right, duration: 180ms, links: {out: "both.in[1]"}}
  - {kind: merge, name: both}
"""


def span(events: list[Event], node: str) -> tuple[float, float]:
    """When a node began and ended, in epoch seconds."""
    times = {event.type: event.time for event in events if event.node == node}
    return times["node.started"], times["node.completed"]


async def test_two_branches_overlap_and_the_merge_waits_for_both(runtime: Runtime) -> None:
    overlap = graph(OVERLAP % 5)
    took: list[float] = []
    for _ in range(3):
        run = await runtime.start(overlap)
        assert await result_of(run) == [7, 7]
        events = await story(run)
        left, right = span(events, "left"), span(events, "right")
        assert max(left[0], right[0]) < min(left[1], right[1])
        assert span(events, "both")[0] >= max(left[1], right[1])
        took.append(events[-1].data["duration_ms"])
    # The machine may be busy; the engine is not the one to slow all three down.
    assert min(took) < 1.3 * 180


async def test_with_one_at_a_time_they_never_overlap(runtime: Runtime) -> None:
    run = await runtime.start(graph(OVERLAP % 1))
    assert await result_of(run) == [7, 7]
    events = await story(run)
    left, right = span(events, "left"), span(events, "right")
    assert min(left[1], right[1]) <= max(left[0], right[0])
    assert events[-1].data["duration_ms"] >= 330


CHOICE = """
flow: choice
inputs: {amount: {type: number}}
nodes:
  - {kind: if, name: big, when: self.amount > 100.0, links: {"true": review, "false": pass}}
  - {kind: snippet, name: review, language: text, code: needs a review, links: {out: "answer.in[0]"}}
  - {kind: snippet, name: pass, language: text, code: passes, links: {out: "answer.in[1]"}}
  - {kind: merge, name: answer, mode: first}
  - {kind: time.delay, name: unrelated, duration: 10s}
"""


@pytest.mark.parametrize(
    ("amount", "answer", "dead"), [(250, "needs a review", "pass"), (40, "passes", "review")]
)
async def test_a_merge_answers_with_the_branch_taken_and_waits_for_no_other(
    timed: Runtime, clock: FakeClock, amount: float, answer: str, dead: str
) -> None:
    run = await timed.start(graph(CHOICE), amount=amount)
    merged = await seen(run, "node.completed", "answer")
    assert merged.data["outputs"] == {"out": answer}
    assert merged.time == clock.now(), "no time has passed"
    await seen(run, "node.waiting", "unrelated")
    assert not (await run.row()).state.terminal, "the run itself ends with its last node"
    clock.advance(10)
    assert await result_of(run) == [answer, {"amount": amount}]
    assert lines(await story(run), "node.skipped") == [f"node.skipped {dead}"]
