"""Worker processes, as the command line and the settings want them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from penstock.cli.app import App
from penstock.cli.workers import make_pool
from penstock.core.errors import SettingsError
from penstock.core.size import format_size, parse_size

FLOW = """
import os
import sys
from penstock import Context, flow

@flow
async def where(ctx: Context, name: str) -> dict:
    cli = "penstock.cli" in sys.modules
    return {"name": name, "pid": os.getpid(), "folder": os.getcwd(), "cli": cli}
"""


def test_a_flow_is_run_in_a_worker_when_the_command_wants_it(penstock, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(FLOW)
    done = penstock("run", "here.py", "--executor", "subprocess", "--set", "name=Ann", "--quiet")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["name"] == "Ann"
    assert result["pid"] != os.getpid()
    assert result["folder"] == str(tmp_path)
    assert not result["cli"]


def test_a_document_is_run_in_a_worker_and_retried_there(penstock, tmp_path: Path) -> None:
    (tmp_path / "pid.yaml").write_text(
        "flow: pid\nnodes: [{kind: shell.exec, name: ask, command: 'echo $PPID; exit 3'}]\n"
    )
    assert penstock("run", "pid.yaml", "--executor", "subprocess", "--quiet").code == 1
    [row] = json.loads(penstock("runs", "ls", "--json").out)
    assert row["executor"] == "subprocess"
    assert penstock("runs", "retry", row["fid"], "--quiet").code == 1
    rows = json.loads(penstock("runs", "ls", "--json").out)
    assert [row["executor"] for row in rows] == ["subprocess", "subprocess"]


def test_wrong_inputs_are_refused_without_a_run(penstock, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(FLOW)
    refused = penstock("run", "here.py", "--executor", "subprocess")
    assert refused.code == 2
    assert "`name` is missing" in refused.err
    assert json.loads(penstock("runs", "ls", "--json").out) == []


def test_a_flow_that_asks_for_a_worker_gets_one(penstock, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(FLOW.replace("@flow", "@flow(executor='subprocess')"))
    done = penstock("run", "here.py", "--set", "name=Bob", "--quiet")
    assert done.code == 0, done.err
    assert json.loads(done.out)["pid"] != os.getpid()


def test_a_module_that_does_not_import_is_one_error(penstock, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    refused = penstock("run", "broken.py", "--executor", "subprocess")
    assert refused.code == 2
    assert "division by zero" in refused.err
    assert "Traceback" not in refused.err


def test_settings_say_what_workers_may_use(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(
        'workers = 3\nworker_memory = "512MiB"\nworker_timeout = "10m"\nworker_environ = ["REGION"]\n'
    )
    app = App(environ={"PENSTOCK_WORKER_RETRIES": "2"}, directory=tmp_path)
    pool = make_pool(app.settings)
    assert pool.size == 3
    assert pool.limits.memory_bytes == 512 * 2**20
    assert pool.limits.timeout is not None
    assert pool.limits.timeout.total_seconds() == 600
    assert pool.limits.retries == 2


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("WORKERS", "0", "at least 1"),
        ("WORKERS", "many", "at least 1"),
        ("WORKER_MEMORY", "lots", "512MiB"),
        ("WORKER_TIMEOUT", "soon", "duration"),
        ("WORKER_RETRIES", "-1", "no number"),
    ],
)
def test_a_wrong_setting_names_its_origin(tmp_path: Path, name: str, value: str, says: str) -> None:
    app = App(environ={f"PENSTOCK_{name}": value}, directory=tmp_path)
    with pytest.raises(SettingsError, match=says) as refused:
        make_pool(app.settings)
    assert f"PENSTOCK_{name}" in refused.value.message


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512MiB", 2**29),
        ("1.5 GiB", 3 * 2**29),
        ("2GB", 2 * 10**9),
        ("64k", 2**16),
        ("900", 900),
        (7, 7),
    ],
)
def test_sizes_are_read_as_people_write_them(text: object, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "MiB", "-1", "0", "1e9", "12 parsecs", None, True, 1.5, "9" * 30])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_sizes_are_shown_as_people_read_them() -> None:
    assert [format_size(size) for size in (900, 2**20, 3 * 2**29)] == ["900 bytes", "1 MiB", "1.5 GiB"]
