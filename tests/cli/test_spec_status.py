"""The status of specs in `penstock get`: what runtimes in other processes say of them."""

from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.cli.started import Started

from penstock.cli.documents.reported import reported
from penstock.engine.catalog.stored import StoredSpec
from penstock.engine.resident.symbol import Report, Status
from penstock.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOUND_SECONDS = 60
GRAPH = """\
- {kind: listener, name: web, port: 0, links: {out: hello}}
- {kind: snippet, name: hello, language: cel, code: '"hello"'}
- {kind: nop, name: idle, links: {out: nowhere}}
"""


class Folder:
    """A folder with a store of its own, and the commands that use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.running: list[Started] = []

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def start(self, *args: str) -> Started:
        """A command that stays up."""
        self.running.append(Started(self.path, *args))
        return self.running[-1]

    def serve(self, *args: str) -> Started:
        """`penstock start` that has loaded its graph."""
        started = self.start("start", *args)
        started.wait_for("reloaded")
        return started

    def penstock(self, *args: str) -> str:
        """A command, to its end; what it prints."""
        with Started(self.path, *args) as command:
            out, err = command.process.communicate(timeout=BOUND_SECONDS)
            assert command.process.returncode == 0, err
            return out

    def status(self, *args: str) -> dict[str, str]:
        return {one["name"]: one["status"] for one in self.specs(*args)}

    def specs(self, *args: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.penstock("get", "specs", "--json", *args))
        return found

    def until(self, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Look until the statuses are so; which they are."""
        end = time.monotonic() + BOUND_SECONDS
        while not condition(found := self.status()):
            assert time.monotonic() < end, found
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    found = Folder(tmp_path)
    found.write("graph.yaml", GRAPH)
    yield found
    for each in found.running:
        each.__exit__()


def test_get_shows_what_a_runtime_in_another_process_made_of_each_spec(folder: Folder) -> None:
    served = folder.serve("--from", "graph.yaml")
    assert folder.until(lambda found: found["web"] == "active") == {
        "hello": "active",
        "idle": "waiting: `nowhere` is missing",
        "web": "active",
    }
    table = folder.penstock("get", "specs").splitlines()
    start = table[0].index("STATUS")
    assert [row[start:].partition("  ")[0] for row in table[1:]] == [
        "active",
        "waiting: `nowhere` is missing",
        "active",
    ]
    (web,) = folder.specs("web")
    assert web["reports"] == [{"status": "active", "reason": "", "revision": 1, "serving": 1}]
    yaml = folder.penstock("get", "specs", "idle", "-o", "yaml")
    assert yaml.startswith("# status: waiting: `nowhere` is missing\n- id:")
    assert served.stop()[0] == 0
    assert folder.status()["web"] == "not served"


def test_a_status_ends_with_the_runtime_that_is_killed(folder: Folder) -> None:
    served = folder.serve("--from", "graph.yaml")
    folder.until(lambda found: found["web"] == "active")
    served.process.kill()
    served.process.wait()
    assert folder.status() == {
        "hello": "not served",
        "idle": "not served; waiting: `nowhere` is missing",
        "web": "not served",
    }


def test_what_only_a_runtime_can_find_is_in_the_status(folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        folder.write("graph.yaml", GRAPH.replace("port: 0", f"port: {port}"))
        folder.serve("--from", "graph.yaml")
        found = folder.until(lambda found: found["web"].startswith("broken"))
    assert str(port) in found["web"]
    assert found["hello"] == "active"


def test_runtimes_that_disagree_are_shown_as_such(folder: Folder) -> None:
    first = folder.start("start", "--from", "graph.yaml")
    port = first.address().rpartition(":")[2]
    folder.write("graph.yaml", GRAPH.replace("port: 0", f"port: {port}"))
    folder.penstock("apply", "specs", "-f", "graph.yaml")
    folder.until(lambda found: found["web"] == "active")
    folder.serve()
    found = folder.until(lambda found: found["web"] != "active")
    assert found["web"].startswith("broken: ")
    assert found["web"].endswith("(1 of 2); active (1 of 2)")
    assert found["hello"] == "active"


def test_namespaces_that_are_served_and_those_that_are_not_stand_side_by_side(folder: Folder) -> None:
    folder.penstock("apply", "specs", "-f", "graph.yaml", "-n", "other")
    folder.serve("--from", "graph.yaml")
    folder.until(lambda found: found["web"] == "active")
    found = {(one["namespace"], one["name"]): one["status"] for one in folder.specs("--all")}
    assert found["default", "hello"] == "active"
    assert found["other", "hello"] == "not served"


def test_watching_shows_a_new_status_as_it_comes(folder: Folder) -> None:
    folder.penstock("apply", "specs", "-f", "graph.yaml")
    watching = folder.start("get", "specs", "hello", "idle", "--watch")
    assert [line_of(watching).split()[0] for _ in range(3)] == ["NAME", "hello", "idle"]
    served = folder.serve()
    told = sorted([line_of(watching), line_of(watching)])
    assert told == [
        "status     default/hello  active",
        "status     default/idle  waiting: `nowhere` is missing",
    ]
    served.stop()
    assert line_of(watching).endswith("not served")
    assert line_of(watching).endswith("not served")
    assert watching.stop(signal.SIGINT)[0] == 3


def test_watching_tells_programs_of_a_new_status(folder: Folder) -> None:
    folder.penstock("apply", "specs", "-f", "graph.yaml")
    watching = folder.start("get", "specs", "hello", "--watch", "--json")
    assert json.loads(line_of(watching))[0]["status"] == "not served"
    folder.serve()
    (found,) = json.loads(line_of(watching))
    assert (found["action"], found["name"], found["status"]) == ("status", "hello", "active")
    assert found["reports"][0]["serving"] == 1


def spec_at(revision: int, key: str = "a") -> StoredSpec:
    return StoredSpec(
        id=key,
        namespace="default",
        name=key,
        kind="nop",
        revision=revision,
        position=1,
        at=1.0,
        document={},
    )


async def told_of(*specs: StoredSpec, revision: int) -> list[str]:
    """The statuses of specs where a runtime has `a` at a revision, and nothing else."""
    store = MemoryStore()
    report = Report(
        key="a", id="a", kind="nop", revision=revision, serving=revision, status=Status.ACTIVE
    )
    await store.report("default", msgspec.json.encode([report]), at=1.0)
    return [told.line for told in (await reported(store, specs)).values()]


async def test_a_runtime_that_is_a_moment_behind_is_shown_as_such() -> None:
    assert await told_of(spec_at(2), revision=2) == ["active"]
    assert await told_of(spec_at(3), revision=2) == ["active: at revision 2"]
    assert await told_of(spec_at(2), spec_at(1, "b"), revision=2) == ["active", "not loaded yet"]


def line_of(process: Started) -> str:
    """The next line that it prints. The test's own limit bounds the wait."""
    assert process.process.stdout is not None
    return process.process.stdout.readline().rstrip("\n")
