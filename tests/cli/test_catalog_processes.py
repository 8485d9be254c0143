"""Specs, values and keys, changed by several processes at once, some of which are killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from penstock.store.keys import KeyFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SECRET = "hunter2-and-more"
BOUND_SECONDS = 60
MIDDLE = """
import os, signal, sys
from penstock.cli.main import main
from penstock.store import keys, vault

number = 0
seal = vault.Vault.seal

def fatal(self, content):
    global number
    number += 1
    if number == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return seal(self, content)

vault.Vault.seal = fatal
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return found | {
        "PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db",
        "PENSTOCK_KEY_FILE": str(tmp_path / "keys"),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own; it is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*args: str, before: tuple[str, ...] = ("-m", "penstock")) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *before, *args], cwd=tmp_path, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def output(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=BOUND_SECONDS)
    return process.returncode, out, err


def test_of_two_who_saw_the_same_revision_one_wins(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("- {kind: debug.log, name: a}")
    assert output(start("apply", "specs", "-f", "a.yaml"))[0] == 0
    for name in ("one", "two", "three", "four"):
        text = f"- {{kind: debug.log, name: a, message: {name}, revision: 1}}"
        (tmp_path / f"{name}.yaml").write_text(text)
    rivals = [start("apply", "specs", "-f", f"{name}.yaml") for name in ("one", "two", "three", "four")]
    ends = [output(rival) for rival in rivals]

    assert sorted(code for code, _, _ in ends) == [0, 1, 1, 1]
    assert all("was made from revision 1" in err for code, _, err in ends if code == 1)
    _, history, _ = output(start("get", "specs", "a", "--history", "--json"))
    assert len(json.loads(history)) == 2


def test_those_who_saw_nothing_all_get_through(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    names = ("one", "two", "three")
    for name in names:
        (tmp_path / f"{name}.yaml").write_text(f"- {{kind: debug.log, name: a, message: {name}}}")
    rivals = [start("apply", "specs", "-f", f"{name}.yaml") for name in names]

    assert [output(rival)[0] for rival in rivals] == [0, 0, 0]
    _, history, _ = output(start("get", "specs", "a", "--history", "--json"))
    assert {one["document"]["message"] for one in json.loads(history)} == set(names)


@pytest.mark.parametrize("place", [1, 3, 5])
def test_a_rotation_that_is_killed_loses_nothing(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, place: int
) -> None:
    values = {f"v{number}": f"{SECRET}-{number}" for number in range(5)}
    (tmp_path / "values.json").write_text(json.dumps(values))
    (tmp_path / "fatal.py").write_text(MIDDLE)
    assert output(start("apply", "values", "-f", "values.json"))[0] == 0
    killed = start("keys", "rotate", before=("fatal.py", str(place)))

    assert output(killed)[0] == -signal.SIGKILL
    assert len(KeyFile(tmp_path / "keys").known()) == 2
    code, shown, _ = output(start("get", "values", "--reveal", "--json"))
    assert (code, {one["name"]: one["data"] for one in json.loads(shown)}) == (0, values)
    assert output(start("keys", "rotate"))[0] == 0
    assert output(start("keys", "prune", "--yes"))[0] == 0
    code, shown, _ = output(start("get", "values", "--reveal", "--json"))
    assert (code, {one["name"]: one["data"] for one in json.loads(shown)}) == (0, values)
    assert len(KeyFile(tmp_path / "keys").known()) == 1


def test_watching_shows_what_another_process_writes(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("- {kind: debug.log, name: a}")
    output(start("apply", "specs", "-f", "a.yaml"))
    watching = start("get", "specs", "--watch", "-o", "name")
    assert line(watching) == "a"
    (tmp_path / "b.yaml").write_text("- {kind: debug.log, name: b}")
    output(start("apply", "specs", "-f", "b.yaml"))
    output(start("apply", "specs", "-f", "b.yaml", "-n", "elsewhere"))
    output(start("delete", "specs", "a"))

    assert line(watching).split() == ["created", "default/b", "revision", "1"]
    assert line(watching).split()[:2] == ["deleted", "default/a"]
    watching.send_signal(signal.SIGINT)
    assert output(watching)[0] == 3


def test_an_editor_that_is_still_open_when_the_session_ends_leaves_no_secret_behind(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "values.yaml").write_text(f"api: {SECRET}")
    output(start("apply", "values", "-f", "values.yaml"))
    (tmp_path / "editor.py").write_text(
        "import sys, time\nprint(sys.argv[1], flush=True)\ntime.sleep(600)\n"
    )
    environment["EDITOR"] = f"{sys.executable} {tmp_path}/editor.py"
    environment.pop("VISUAL", None)
    editing = start("edit", "values", "api")
    path = line(editing)
    assert os.access(path, os.R_OK)
    editing.send_signal(signal.SIGTERM)
    editing.wait(BOUND_SECONDS)

    assert not os.access(path, os.F_OK)


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints, which comes within a bound."""
    assert process.stdout is not None
    found = b""
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], BOUND_SECONDS)
        assert ready, f"nothing was printed behind {found!r}"
        found += os.read(process.stdout.fileno(), 1)
    return found.decode().strip()
