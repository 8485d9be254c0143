"""A command line without a process, and runs without an engine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.cli.streams import START, Stream

from penstock.cli.app import App
from penstock.cli.main import main
from penstock.core.payload import Error
from penstock.core.spec import FlowSpec, Link, NodeSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _no_store_of_the_users(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test reads or writes the user's own store and keys, whatever process it starts."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture
def penstock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run one command line in this process, in a folder and with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # a command adds its folder

    def run(*args: str, **environ: str) -> Outcome:
        store = {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db"}
        code = main(args, app=App(environ=store | environ, directory=tmp_path))
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def stream() -> Stream:
    """A stream that has begun."""
    stream = Stream()
    stream.add(0, "run.started", flow="report", revision="r1", inputs={})
    return stream


def _node(name: str, kind: str, *links: tuple[str, str, str]) -> NodeSpec:
    found = tuple(Link(port=port, node=node, to=to) for port, node, to in links)
    return NodeSpec(kind=kind, name=name, links=found)


@pytest.fixture
def report_spec() -> FlowSpec:
    """A flow with a retry, a loop, a skipped branch, and a long edge."""
    return FlowSpec(
        name="report",
        nodes=(
            _node("fetch", "http.request", ("body", "parse", "json"), ("status", "log", "message")),
            _node(
                "parse", "transform.json_parse", ("parsed", "each", "in"), ("error", "complain", "in")
            ),
            _node("each", "loop", ("out", "resize", "in"), ("done", "log", "message")),
            _node("resize", "shell.exec"),
            _node("complain", "debug.log"),
            _node("log", "debug.log"),
        ),
    )


@pytest.fixture
def report(stream: Stream) -> Stream:
    """A run of that flow while its loop is busy, 1.5 s after its start."""
    stream.add(0.0, "node.started", "fetch", kind="http.request", attempt=1)
    stream.add(0.0, "node.message", "fetch", level="info", message="GET http://127.0.0.1/zen")
    error = Error(code="http.status", message="503 Service Unavailable", node="fetch")
    stream.add(0.2, "node.retrying", "fetch", attempt=1, error=error, delay_ms=200, until=START + 0.4)
    stream.add(0.4, "node.started", "fetch", kind="http.request", attempt=2)
    stream.add(0.6, "node.completed", "fetch", outputs={"status": 200}, duration_ms=200)
    stream.node(0.6, 0.65, "parse", "transform.json_parse")
    stream.add(0.65, "node.skipped", "complain")
    stream.add(0.7, "node.started", "each", kind="loop", attempt=1)
    for item in range(8):
        begin = 0.7 + item * 0.1
        stream.add(begin, "child.started", f"each[{item}]", port="out")
        stream.add(begin, "node.started", f"each[{item}]/resize", kind="shell.exec", attempt=1)
        if item < 6:
            stream.add(begin + 0.1, "node.completed", f"each[{item}]/resize", duration_ms=100)
            stream.add(begin + 0.1, "child.completed", f"each[{item}]", result=None, duration_ms=100)
            stream.add(
                begin + 0.1, "node.progress", "each", fraction=(item + 1) / 8, message=f"{item + 1}/8"
            )
    stream.add(1.45, "node.stdout", "each[6]/resize", line="converting picture 6")
    return stream
