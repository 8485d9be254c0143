from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.core.errors import NodeError
from penstock.kinds.shell.exec import ShellExec

from .conftest import Fire, RecordingContext, make


def script(body: str) -> list[str]:
    """The words that run a piece of Python in a process of its own."""
    return [sys.executable, "-c", textwrap.dedent(body)]


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes that are not ours tell nobody when they end
            await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def is_reaped(pid: int) -> bool:
    """Whether not even a dead process is left of a child of ours."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Announced:
    """Cancels or looks when a program has said its first line."""

    def __init__(self, ctx: RecordingContext) -> None:
        self.heard = asyncio.Event()
        self.line = ""
        ctx.on_line = self._hear

    def _hear(self, line: str) -> None:
        if not self.heard.is_set():
            self.line = line
            self.heard.set()


async def test_a_list_runs_without_a_shell_and_text_with_one(fire: Fire) -> None:
    plain = await fire(make(ShellExec, command=["printf", "%s", "$HOME; *"]))
    assert plain == {"stdout": "$HOME; *", "stderr": "", "code": 0}
    shelled = await fire(make(ShellExec, command="echo $((6 * 7)) | tr 4 x; echo oops >&2"))
    assert shelled == {"stdout": "x2\n", "stderr": "oops\n", "code": 0}
    split = await fire(make(ShellExec, command="printf '%s' '$HOME'", shell=False))
    assert split["stdout"] == "$HOME"
    bash = await fire(make(ShellExec, command='echo "$0 ${BASH_VERSION:+yes}"', shell="/bin/bash"))
    assert bash["stdout"] == "/bin/bash yes\n"


async def test_args_reach_a_script_as_data_and_never_as_code(fire: Fire) -> None:
    outputs = await fire(make(ShellExec, command='printf "<%s>" "$@"'), args=["$(exit 9)", "a b", 3])
    assert outputs["stdout"] == "<$(exit 9)><a b><3>"


@pytest.mark.parametrize(
    ("stdin", "fed"), [("text é", "text é"), (b"bytes", "bytes"), ({"a": [1]}, '{"a":[1]}'), (None, "")]
)
async def test_stdin_takes_text_bytes_and_data(fire: Fire, stdin: Any, fed: str) -> None:
    assert (await fire(make(ShellExec, command=["cat"]), stdin=stdin))["stdout"] == fed


async def test_large_input_and_large_output_at_once_do_not_deadlock(fire: Fire) -> None:
    node = make(ShellExec, command=["cat"], decode="bytes", stream_output=False)
    data = os.urandom(8 * 1024 * 1024)
    assert (await fire(node, stdin=data))["stdout"] == data


async def test_a_program_need_not_read_its_input(fire: Fire) -> None:
    assert (await fire(make(ShellExec, command=["true"]), stdin=b"x" * 4_000_000))["code"] == 0


async def test_lines_are_told_while_the_program_runs(
    fire: Fire, ctx: RecordingContext, tmp_path: Path
) -> None:
    """The program ends only when a file is there, which the first line makes."""
    gate = tmp_path / "gate"
    ctx.on_line = lambda line: gate.touch()
    command = f'echo first; while [ ! -e "{gate}" ]; do sleep 0.01; done; printf last'
    async with asyncio.timeout(10):
        await fire(make(ShellExec, command=command))
    assert ctx.lines == [("stdout", "first"), ("stdout", "last")]


async def test_broken_text_and_endless_lines_are_told_all_the_same(
    fire: Fire, ctx: RecordingContext
) -> None:
    program = script("""
        import sys
        sys.stdout.buffer.write(b"a\\xffb\\r\\n" + b"\\xc3\\xa9" * 100_000 + b"\\n\\nend")
    """)
    outputs = await fire(make(ShellExec, command=program))
    told = [line for _, line in ctx.lines]
    assert told[0] == "a\ufffdb"
    assert "".join(told[1:-2]) == "é" * 100_000
    assert max(map(len, told)) <= 64 * 1024
    assert told[-2:] == ["", "end"]
    assert outputs["stdout"].startswith("a\ufffdb\r\n")


async def test_output_beyond_the_limit_ends_the_program(fire: Fire) -> None:
    node = make(ShellExec, command=["yes"], max_output_bytes=100_000, stream_output=False)
    with pytest.raises(NodeError, match="more than 100,000 bytes to stdout") as caught:
        await fire(node)
    assert caught.value.code == "shell.output"


async def test_json_on_stdout_comes_parsed(fire: Fire) -> None:
    assert (await fire(make(ShellExec, command="""echo '{"a": [1]}'""")))["json"] == {"a": [1]}
    assert "json" not in await fire(make(ShellExec, command="echo hello"))
    assert "json" not in await fire(make(ShellExec, command="echo [half"))


async def test_a_linked_json_port_wants_json_and_takes_every_form_of_it(fire: Fire) -> None:
    linked = RecordingContext("json")
    assert (await fire(make(ShellExec, command="echo 42"), ctx=linked))["json"] == 42
    with pytest.raises(NodeError, match="standard output is not JSON") as caught:
        await fire(make(ShellExec, command="echo hello"), ctx=linked)
    assert caught.value.code == "shell.json"


async def test_a_failure_carries_code_and_output(fire: Fire) -> None:
    with pytest.raises(NodeError, match="the script ended with code 3: it broke") as caught:
        await fire(make(ShellExec, command="echo done; echo it broke >&2; exit 3"))
    assert caught.value.code == "shell.exit"
    assert caught.value.details == {"code": 3, "stdout": "done\n", "stderr": "it broke\n"}
    tolerant = make(ShellExec, command="exit 3", fail_on_error=False)
    assert (await fire(tolerant))["code"] == 3


async def test_a_program_that_a_signal_ended_names_it(fire: Fire) -> None:
    with pytest.raises(NodeError, match="was ended by SIGSEGV") as caught:
        await fire(make(ShellExec, command="kill -SEGV $$"))
    assert caught.value.details["signal"] == "SIGSEGV"
    assert caught.value.details["code"] == -signal.SIGSEGV


async def test_the_environment_carries_the_key_of_the_firing(
    fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    command = 'echo "$PENSTOCK_IDEMPOTENCY_KEY $PENSTOCK_ATTEMPT $INHERITED $OWN $FED"'
    node = make(ShellExec, command=command, environment={"OWN": 1})
    assert (await fire(node))["stdout"] == "run-1:node-1 1 yes 1 \n"
    assert (await fire(node, environment={"FED": "x"}))["stdout"] == "run-1:node-1 1 yes  x\n"
    alone = make(ShellExec, command=command, inherit_environment=False)
    assert (await fire(alone))["stdout"] == "run-1:node-1 1   \n"


async def test_it_runs_in_its_own_directory(fire: Fire, tmp_path: Path) -> None:
    assert (await fire(make(ShellExec, command="pwd -P", cwd=str(tmp_path))))[
        "stdout"
    ] == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"command": ["no-such-program-here"]},
            "`no-such-program-here` could not be started: No such file",
        ),
        ({"command": ["./notes"]}, "Permission denied.*make it executable: chmod"),
        ({"command": ["./no-header"]}, "Exec format error.*name the program that reads it"),
        ({"command": ["true"], "cwd": "/nowhere"}, "working directory `/nowhere` does not exist"),
        ({"command": ["true", "x" * 3_000_000]}, "hand large data over by `stdin`"),
        ({"command": ["printf", "a\0b"]}, "null byte"),
    ],
)
async def test_a_program_that_cannot_start_is_told_clearly(
    fire: Fire, config: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("x")
    (tmp_path / "no-header").write_text("x")
    (tmp_path / "no-header").chmod(0o755)
    with pytest.raises(NodeError, match=f"(?s){reason}") as caught:
        await fire(make(ShellExec, **({"cwd": str(tmp_path)} | config)))
    assert caught.value.code == "shell.start"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"command": ["ls"], "shell": True}, "write the script as text"),
        ({"command": "  "}, "is empty"),
        ({"command": []}, "is empty"),
        ({"command": "echo 'open", "shell": False}, "No closing quotation"),
    ],
)
def test_a_command_that_cannot_run_is_refused_early(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(ShellExec, **config)


async def test_cancelling_ends_the_whole_group_at_once(fire: Fire, ctx: RecordingContext) -> None:
    announced = Announced(ctx)
    command = "sleep 600 & sleep 600 & echo $$ $! ; wait"
    task = asyncio.create_task(fire(make(ShellExec, command=command)))
    await announced.heard.wait()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1
    assert is_reaped(int(announced.line.split()[0]))
    await until(lambda: not any(alive(int(pid)) for pid in announced.line.split()))


async def test_a_group_that_ignores_sigterm_is_killed_after_the_grace(
    fire: Fire, ctx: RecordingContext
) -> None:
    announced = Announced(ctx)
    forever = "while :; do sleep 0.05; done"
    command = f"trap '' TERM; sh -c '{forever}' & echo $$ $!; wait; {forever}"
    task = asyncio.create_task(fire(make(ShellExec, command=command, grace="100ms")))
    await announced.heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not any(alive(int(pid)) for pid in announced.line.split()))


async def test_a_second_cancel_cuts_the_grace_short(fire: Fire, ctx: RecordingContext) -> None:
    announced = Announced(ctx)
    command = "trap '' TERM; echo $$; while :; do sleep 0.05; done"
    task = asyncio.create_task(fire(make(ShellExec, command=command, grace="1h")))
    await announced.heard.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_reaped(int(announced.line))


@pytest.mark.parametrize("turns", [2, 3, 4, 5, 6, 8])
async def test_cancelling_a_program_while_it_starts_loses_sight_of_nothing(
    fire: Fire, tmp_path: Path, turns: int
) -> None:
    """The loop is held up until a grandchild runs, which then holds a pipe open as long as it lives."""
    os.mkfifo(tmp_path / "life")
    life = os.open(tmp_path / "life", os.O_RDONLY | os.O_NONBLOCK)
    command = f"exec 3>{tmp_path}/life; (echo up >&3; exec sleep 600) & wait"
    task = asyncio.create_task(fire(make(ShellExec, command=command)))
    for _ in range(turns):
        await asyncio.sleep(0)
    assert select.select([life], [], [], 10)[0]
    assert os.read(life, 100) == b"up\n"
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    def closed() -> bool:
        try:
            return os.read(life, 1) == b""
        except BlockingIOError:
            return False

    try:
        await until(closed)
    finally:
        os.close(life)


@pytest.mark.parametrize("ending", ["exec sleep 600", "trap '' TERM; while :; do sleep 0.01; done"])
async def test_no_dead_child_is_left_when_a_cancelled_node_returns(fire: Fire, ending: str) -> None:
    """Many at once, so that their ends and the reaping of them get a chance to cross."""

    async def cancelled() -> int:
        ctx = RecordingContext()
        announced = Announced(ctx)
        node = make(ShellExec, command=f"echo $$; {ending}", grace="20ms")
        task = asyncio.create_task(fire(node, ctx=ctx))
        await announced.heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leader = int(announced.line)
        assert is_reaped(leader)
        return leader

    assert len(set(await asyncio.gather(*(cancelled() for _ in range(20))))) == 20


async def test_a_program_may_clean_up_within_the_grace(
    fire: Fire, ctx: RecordingContext, tmp_path: Path
) -> None:
    announced = Announced(ctx)
    command = (
        f"trap 'echo cleaned > {tmp_path}/note; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    )
    task = asyncio.create_task(fire(make(ShellExec, command=command)))
    await announced.heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "note").read_text() == "cleaned\n"


async def test_nothing_in_the_background_outlives_a_program_that_succeeded(fire: Fire) -> None:
    command = "sleep 600 >/dev/null 2>&1 & echo $!"
    outputs = await fire(make(ShellExec, command=command))
    await until(lambda: not alive(int(outputs["stdout"])))


async def test_late_output_of_the_background_is_waited_for(fire: Fire, ctx: RecordingContext) -> None:
    outputs = await fire(make(ShellExec, command="(sleep 0.1; echo late) & echo early"))
    assert outputs["stdout"] == "early\nlate\n"


async def test_a_pipe_held_open_for_ever_does_not_hold_up_the_node(fire: Fire) -> None:
    node = make(ShellExec, command="sleep 600 & echo done", grace="50ms")
    async with asyncio.timeout(10):
        assert (await fire(node))["stdout"] == "done\n"


def test_it_works_on_uvloop_too(ctx: RecordingContext) -> None:
    import uvloop

    node = make(ShellExec, command="cat; sleep 600 & echo end", grace="50ms", stream_output=False)
    inputs = {"command": node.command, "args": None, "environment": None, "stdin": b"x" * 4_000_000}
    outputs = uvloop.run(node.run(inputs, ctx))
    assert outputs["stdout"] == "x" * 4_000_000 + "end\n"


def test_a_child_that_is_over_before_it_is_fed_is_no_failure_on_uvloop(ctx: RecordingContext) -> None:
    import uvloop

    node = make(ShellExec, command="exit 0", grace="50ms")
    inputs = {"command": node.command, "args": None, "environment": None, "stdin": b"x"}

    async def often() -> list[int]:
        return [(await node.run(inputs, ctx))["code"] for _ in range(100)]  # it is a race

    assert uvloop.run(often()) == [0] * 100
