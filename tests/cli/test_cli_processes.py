"""The command line as a process: signals, pipes, crashes, two at once."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW = """
flow: slow
nodes:
  - {kind: debug.log, name: log, message: Hello, links: {out: wait}}
  - {kind: time.delay, name: wait, duration: 10m}
"""
STUCK = """
import time
from penstock import flow


def stuck() -> None:
    time.sleep(600)


@flow
async def hanging(ctx) -> None:
    await ctx.step(stuck)
"""
SPINNING = """
import sys
from penstock import flow


@flow
async def spinning(ctx) -> None:
    print("spinning", file=sys.__stderr__, flush=True)
    while True:
        pass
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own; it is killed at the end of the test."""
    (tmp_path / "slow.yaml").write_text(SLOW)
    (tmp_path / "hanging.py").write_text(STUCK)
    (tmp_path / "spinning.py").write_text(SPINNING)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    environment |= {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db", "PYTHONUNBUFFERED": "1"}
    processes: list[subprocess.Popen[str]] = []

    def begin(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock", *args],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], words: str) -> str:
    """Read stderr until a line has these words. The test's own limit bounds the wait."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"stderr ended without `{words}`")


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def rows(start: Callable[..., subprocess.Popen[str]]) -> list[dict[str, object]]:
    _, out, _ = finish(start("runs", "ls", "--json"))
    found: list[dict[str, object]] = json.loads(out)
    return found


def test_ctrl_c_cancels_the_run_and_exits_with_3(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("run", "slow.yaml")
    wait_for_line(process, "waiting until")
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (3, "")
    assert "cancelled: Ctrl-C" in err
    assert "penstock runs retry" in err
    assert "Traceback" not in err
    assert [row["state"] for row in rows(start)] == ["cancelled"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_shutdown_leaves_the_run_to_be_resumed(
    start: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = start("run", "slow.yaml")
    wait_for_line(process, "waiting until")
    process.send_signal(number)
    code, _, err = finish(process)
    assert code == 3
    (row,) = rows(start)
    assert row["state"] in ("running", "waiting")
    assert f"`penstock runs resume {row['fid']}` goes on" in err
    resumed = start("runs", "resume")
    wait_for_line(resumed, "resumed")
    resumed.send_signal(signal.SIGINT)
    assert finish(resumed)[0] == 3
    assert [row["state"] for row in rows(start)] == ["cancelled"]


def test_a_second_ctrl_c_ends_at_once_even_when_a_thread_hangs(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start("run", "hanging.py", "--events")
    wait_for_line(process, "node.started")
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "cancelling")
    process.send_signal(signal.SIGINT)
    code, _, _ = finish(process)
    assert code == 3


def test_a_second_ctrl_c_ends_even_code_that_never_waits(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start("run", "spinning.py")
    wait_for_line(process, "spinning")
    while process.poll() is None:  # two that come too close count as one
        process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 3
    assert "Traceback" not in err
    (row,) = rows(start)
    assert f"`penstock runs resume {row['fid']}` goes on" in err


def test_a_run_whose_terminal_is_closed_is_left_to_be_resumed(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "work.yaml").write_text(
        "flow: work\nnodes: [{kind: shell.exec, name: sh, command: 'echo pid $$.; sleep 600'}]\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        environment = os.environ | {"PENSTOCK_STORE": f"sqlite:///{tmp_path}/runs.db", "TERM": "xterm"}
        os.execve(sys.executable, [sys.executable, "-m", "penstock", "run", "work.yaml"], environment)
    seen = b""
    while (found := re.search(rb"pid (\d+)\.", seen)) is None:
        seen += os.read(terminal, 65536)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    with pytest.raises(ProcessLookupError):
        os.kill(int(found[1]), 0)
    assert [row["state"] for row in rows(start)] == ["running"]


def test_one_ctrl_c_is_enough_when_a_thread_hangs(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("run", "hanging.py", "--events")
    wait_for_line(process, "node.started")
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 3
    assert [row["state"] for row in rows(start)] == ["cancelled"]


def test_a_killed_run_is_mentioned_by_the_next_and_resumed(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    killed = start("run", "slow.yaml")
    wait_for_line(killed, "waiting until")
    killed.kill()
    killed.wait()
    (tmp_path / "quick.yaml").write_text("flow: quick\nnodes: [{kind: debug.log, message: hi}]\n")
    code, out, err = finish(start("run", "quick.yaml"))
    assert (code, out) == (0, "hi\n")
    assert "1 unfinished run; `penstock runs resume --all` goes on" in err
    resumed = start("runs", "resume", "--all")
    wait_for_line(resumed, "1 run resumed")
    resumed.send_signal(signal.SIGTERM)
    code, _, err = finish(resumed)
    assert code == 3
    assert "`penstock runs resume --all` goes on with 1" in err


def test_another_process_watches_and_cancels_a_run(start: Callable[..., subprocess.Popen[str]]) -> None:
    running = start("run", "slow.yaml")
    wait_for_line(running, "waiting until")
    watching = start("runs", "watch")
    wait_for_line(watching, "waiting until")
    refused = start("runs", "resume", "@")
    code, _, err = finish(refused)
    assert code == 1
    assert "another process" in err
    code, _, err = finish(start("runs", "cancel", "@", "--reason", "enough"))
    assert code == 0
    assert "cancelled" in err
    for process in (running, watching):
        code, _, err = finish(process)
        assert code == 3
        assert "enough" in err


def test_a_run_that_nobody_executes_is_cancelled_without_running(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    killed = start("run", "slow.yaml")
    wait_for_line(killed, "waiting until")
    killed.kill()
    killed.wait()
    assert finish(start("runs", "cancel", "@"))[0] == 0
    _, out, _ = finish(start("runs", "show", "--events"))
    types = [json.loads(line)["type"] for line in out.splitlines()]
    assert types[-1] == "run.cancelled"
    assert "run.resumed" not in types


def test_a_reader_that_goes_away_is_no_error(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("kinds", "--schema")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0


def test_a_full_disk_under_the_store_loses_nothing_that_was_committed(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "big.yaml").write_text(
        "flow: big\nnodes:\n"
        "  - {kind: snippet, name: all, language: python, code: list(range(2000)), links: {out: each}}\n"
        "  - {kind: loop, name: each, concurrency: 1, links: {out: say}}\n"
        "  - {kind: debug.log, name: say}\n"
    )
    code = (
        "import resource, sys; from penstock.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY)); "
        "sys.exit(main(['run', 'big.yaml', '--progress', 'none', '--store', 'runs.db']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 4
    assert "cannot grow" in done.stderr
    assert "hint: free space" in done.stderr
    assert "Traceback" not in done.stderr
    code_of_resumed, out, _ = finish(start("runs", "resume", "--progress", "none"))
    assert code_of_resumed == 0
    assert json.loads(out) == list(range(2000))


def test_a_module_of_the_current_folder_is_found_by_the_installed_script(tmp_path: Path) -> None:
    (tmp_path / "my_flows.py").write_text(
        "from penstock import flow\n\n\n@flow\nasync def one(ctx) -> int:\n    return 1\n"
    )
    script = Path(sys.executable).with_name("penstock")
    done = subprocess.run(
        [script, "run", "my_flows:one", "--ephemeral", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_a_terminal_gets_a_tree_while_it_runs_and_a_timeline_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(SLOW.replace("10m", "400ms"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", "short.yaml", "--ephemeral"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=os.environ | {"TERM": "xterm-256color", "NO_COLOR": "1", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # how Linux tells the end of a terminal
        while chunk := os.read(ours, 65536):
            seen += chunk
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", seen), "NO_COLOR was not honoured"
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert (process.returncode, out) == (0, "Hello\n")
    assert "log │ DEBUG: Hello" in shown
    assert "● slow running" in shown
    assert "goes on in" in shown
    assert "✓ slow completed in" in shown
    assert "┈┈┈┈┈┈" in shown.rpartition("✓ slow completed")[2]


def complete(folder: Path, words: str) -> list[str]:
    """What bash is offered for the last of these words."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=os.environ
        | {
            "_PENSTOCK_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            "PENSTOCK_STORE": f"sqlite:///{folder}/runs.db",
        },
    )
    return [line.partition(",")[2] for line in done.stdout.split()]


def test_the_shell_completes_commands_kinds_and_ids(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    assert complete(tmp_path, "penstock val") == ["validate"]
    assert complete(tmp_path, "penstock kinds debug.") == ["debug.inspect", "debug.log"]
    assert complete(tmp_path, "penstock runs show 1") == []
    (tmp_path / "quick.yaml").write_text("flow: quick\nnodes: [{kind: debug.log, message: hi}]\n")
    _, out, _ = finish(start("run", "quick.yaml", "--json"))
    assert complete(tmp_path, "penstock runs show 1") == [json.loads(out)["fid"]]


@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_full_disk_under_stdout_is_told(buffered: dict[str, str]) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "penstock", "version"],
            env=environ | buffered,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: the output cannot be written: No space left on device",
        "hint: make room, or send it elsewhere; `penstock runs result` prints a run's result again",
    ]


def test_two_runs_share_a_store(start: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = start("run", "slow.yaml"), start("run", "slow.yaml")
    for process in (first, second):
        wait_for_line(process, "waiting until")
    for process in (first, second):
        process.send_signal(signal.SIGINT)
    assert [finish(process)[0] for process in (first, second)] == [3, 3]
    assert [row["state"] for row in rows(start)] == ["cancelled", "cancelled"]


def test_the_start_imports_nothing_that_version_does_not_need() -> None:
    code = (
        "import sys; from penstock.cli.main import main; main(['version']); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("asyncio", "msgspec", "yaml", "rich", "sqlite3", "tomllib", "json"):
        assert f"'{heavy}'" not in done.stdout


def test_a_run_without_a_terminal_imports_no_rich(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text("flow: quick\nnodes: [{kind: debug.log, message: hi}]\n")
    code = (
        "import sys; from penstock.cli.main import main; "
        "main(['run', 'quick.yaml', '--ephemeral']); print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    for heavy in ("rich", "jsonschema_rs", "sqlite3", "platformdirs", "difflib"):
        assert f"'{heavy}'" not in done.stdout
