"""Every example runs, and does what it says."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from tests.agents.model_server import Model, serving
from tests.host.process import HostProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

RESULTS: dict[str, Any] = {
    "hello.yaml": "Hello, world!",
    "parallel.yaml": ["sun in Oslo", "free roads around Oslo"],
    "branches.yaml": "an order of 40 passes",
    "loop.yaml": {"squares": [1, 4, 9, 16], "sum": 30},
    "call.yaml": ["an order of 250 needs a review", "an order of 40 passes"],
    "errors.yaml": ["worked at last\n", "sorry: out of paper", "no such luck"],
    "shell.yaml": "3 different words",
    "database.yaml": [{"name": "gauge", "count": 1}, {"name": "valve", "count": 3}],
    "python_flow.py": {"measured": 3, "highest": "Glomma"},
    "primes.py": {"below": 100_000, "primes": 9592},
}
"""Example → its result without any input."""


def environment(folder: Path) -> dict[str, str]:
    """That of the test, with a store of its own."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return found | {"PENSTOCK_STORE": f"sqlite:///{folder}/runs.db"}


def penstock(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one command line as a user would, with a store of its own."""
    return subprocess.run(
        [sys.executable, "-m", "penstock", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def started(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The same command line while it runs; killed in the end if it still does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def result_of(example: str, *arguments: str, folder: Path) -> Any:
    """What an example answers. It must exit with 0."""
    done = penstock("run", str(EXAMPLES / example), "--json", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]


@pytest.fixture
def zen_url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "zen.json").write_text('{"message": "Design for failure."}')
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, name="zen")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/zen.json"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("example", RESULTS)
def test_example_gives_its_result(example: str, tmp_path: Path) -> None:
    assert result_of(example, folder=tmp_path) == RESULTS[example]


def test_a_run_is_given_a_file_and_leaves_one(tmp_path: Path) -> None:
    (tmp_path / "sea.txt").write_text("The sea, the sea, and a ship.")
    assert result_of("words.yaml", "--set", "text=sea.txt", folder=tmp_path) == "2 the"
    penstock("runs", "files", "--save", "out/words.txt", folder=tmp_path)
    assert (tmp_path / "words.txt").read_text().split()[:4] == ["2", "the", "2", "sea"]


def test_large_order_takes_the_other_branch(tmp_path: Path) -> None:
    assert result_of("branches.yaml", "--set", "amount=250", folder=tmp_path).endswith("needs a review")


@pytest.mark.parametrize("example", ["zen.yaml", "pipeline.json"])
def test_http_pipeline_gives_what_the_server_answers(example: str, zen_url: str, tmp_path: Path) -> None:
    answer = result_of(example, "--set", f"url={zen_url}", folder=tmp_path)
    assert answer == {"message": "Design for failure."}


def test_orders_are_priced_and_routed(tmp_path: Path) -> None:
    path = str(EXAMPLES / "data" / "orders.json")
    report = result_of("orders.yaml", "--set", f"path={path}", folder=tmp_path)
    assert report.splitlines() == [
        "4 orders",
        "  A-100 for Ada: 120.00, shipped",
        "  A-101 for Grace: 37.00, shipped",
        "  A-102 for Edsger: 4800.00, needs a review",
        "  A-103 for Barbara: 594.00, needs a review",
    ]


def test_orders_are_found_from_the_root_of_the_project(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"
    done = penstock("run", "examples/orders.yaml", "--quiet", "--store", store, folder=ROOT)
    assert done.stdout.startswith("4 orders\n"), done.stderr


def test_custom_kind_remembers_across_runs(tmp_path: Path) -> None:
    script = str(EXAMPLES / "custom_kind.py")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "{'text': 'WATER!!', 'number': 1}",
        "{'text': 'LIGHT!!', 'number': 2}",
    ]


def test_a_graph_passes_the_tests_that_it_has_of_itself(tmp_path: Path) -> None:
    done = penstock("test", "-f", str(EXAMPLES / "report.yaml"), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "2 tests, all passed"


def answered(folder: Path, *submitted: str) -> int:
    """Submit to the newest run as soon as its lock is open. Returns the exit code."""
    lock = submitted[0]
    for _ in range(100):
        found = penstock("locks", "ls", "--json", folder=folder)
        if lock in [each["name"] for each in json.loads(found.stdout or "[]")]:
            return penstock("locks", "release", "@", *submitted, folder=folder).returncode
    raise AssertionError(f"no lock `{lock}` was opened")


def test_a_person_approves_an_expense(tmp_path: Path) -> None:
    with started("run", str(EXAMPLES / "approval.yaml"), "--set", "amount=300", folder=tmp_path) as run:
        assert answered(tmp_path, "approve", "--set", "approved=true") == 1
        assert answered(tmp_path, "approve", "--set", "approved=true", "--set", "reason=a bearing") == 0
        assert run.communicate(timeout=20)[0] == "paid\n"


def test_two_people_sign(tmp_path: Path) -> None:
    with started("run", str(EXAMPLES / "approval.py:transfer"), "--json", folder=tmp_path) as run:
        assert answered(tmp_path, "sign-1", "--set", "name=Ada") == 0
        assert answered(tmp_path, "sign-2", "--set", "name=Ada") == 1
        assert answered(tmp_path, "sign-2", "--set", "name=Grace") == 0
        result = json.loads(run.communicate(timeout=20)[0])["result"]
    assert result == {"transferred": 500, "signed": ["Ada", "Grace"]}


def test_a_program_answers_a_lock_on_a_host(tmp_path: Path) -> None:
    with HostProcess(tmp_path, "--flows", str(EXAMPLES / "approval.yaml")) as host:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "use_a_host.py")],
            env=os.environ | {"PENSTOCK_HOST": host.url, "PENSTOCK_TOKEN": host.token},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    lines = done.stdout.splitlines()
    assert lines[0] == "run.started "
    assert "  denied: more than 100 needs a reason" in lines
    assert lines[-1] == "paid"


@pytest.mark.slow
def test_the_crew_asks_whatever_model_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model()
    model.answer("Explain why it rains", "Because air rises and cools.")
    model.answer("important facts about why it rains", "Air rises.")
    with serving(model):
        monkeypatch.setenv("OPENAI_BASE_URL", model.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
        assert result_of("crew.yaml", folder=tmp_path) == "Because air rises and cools."


def test_every_example_is_run_by_a_test_and_listed() -> None:
    elsewhere = {
        "api.yaml",
        "approval.py",
        "approval.yaml",
        "words.yaml",
        "crew.yaml",
        "orders.yaml",
        "report.yaml",
        "zen.yaml",
        "pipeline.json",
        "custom_kind.py",
        "custom_kind.yaml",
        "use_a_host.py",
    }
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".json", ".py", ".yaml"}}
    listed = set(re.findall(r"^\| `([^`]+)`", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE))
    assert files == RESULTS.keys() | elsewhere
    assert files == listed | {"custom_kind.yaml"}
