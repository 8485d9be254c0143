"""Crews on the command line, as processes: the same results, and nothing done twice after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.agents import documents
from tests.agents.model_server import Held, ToolCall

from penstock import Runtime, load_flow

if TYPE_CHECKING:
    from tests.agents.model_server import Model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FLOW = """
from crewai.flow.flow import Flow, listen, start


class Search(Flow):
    \"\"\"Search in two steps.\"\"\"

    @start()
    def look(self):
        print("looking")
        return f"facts of {self.state['topic']}"

    @listen(look)
    def tell(self, facts):
        return {"told": facts}
"""

Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(tmp_path: Path, model: Model) -> Iterator[Begin]:
    """Start a command in a process of its own; it is killed at the end of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    kept |= {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db", "TEST_MODEL_KEY": "sk-test-44"}
    processes: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock", *args],
            cwd=tmp_path,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


async def test_the_command_line_gives_what_a_runtime_gives(
    tmp_path: Path, model: Model, begin: Begin
) -> None:
    path = documents.search(tmp_path, model.url)
    model.answer("Research", ToolCall("look_up", {"city": "Bergen"}), "the facts", "the facts")
    model.answer("Write about", "the text")
    process = begin("run", "search.yaml", "--set", "topic=rain", "--events")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "the text\n"), err
    told = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    actions = [event["of"] for event in told if event["type"] == "agent.action"]
    assert actions == ["crew", "task", "agent", "llm", "tool", "llm", "task", "agent", "llm"]
    assert "sk-test-44" not in out + err
    async with Runtime("memory:") as runtime:
        run = await runtime.start(load_flow(path), topic="rain")
        assert f"{await run.result()}\n" == out


def test_a_flow_of_a_module_runs_by_its_name(tmp_path: Path, begin: Begin) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "__init__.py").write_text("")
    (tmp_path / "plans" / "serviceplan.py").write_text(FLOW)
    process = begin("run", "plans.serviceplan.Search", "--set", "topic=rain", "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["result"] == {"told": "facts of rain"}
    assert "looking" in err


def test_after_a_kill_the_tasks_that_are_done_are_not_done_again(
    tmp_path: Path, model: Model, begin: Begin
) -> None:
    documents.search(tmp_path, model.url)
    held = Held("lost")
    model.answer("Research", "the facts")
    model.answer("Write about", held, "the text")
    process = begin("run", "search.yaml", "--set", "topic=rain", "--quiet")
    model.wait_asked("Write about", 60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    held.gate.set()
    resumed = begin("runs", "resume", "@", "--quiet")
    out, err = resumed.communicate(timeout=60)
    assert (resumed.returncode, out) == (0, "the text\n"), err
    assert model.times_asked("Research") == 1
    assert model.times_asked("Write about") == 2


def test_a_wrong_document_is_told_by_validate(tmp_path: Path, model: Model, begin: Begin) -> None:
    path = documents.search(tmp_path, model.url)
    path.write_text(path.read_text().replace("agent: writer", "agent: wrter"))
    process = begin("validate", "search.yaml")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "search.yaml:22" in err
    assert "did you mean `writer`?" in err
