"""Flows that workers execute: good ones, and those that do to their process what they should not."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from penstock import Context, flow
from penstock.core.errors import Denied, NodeError
from penstock.engine.context import StepContext
from penstock.engine.locks.candidate import Candidate

WORKER = "subprocess"
LEFT: list[asyncio.Task[None]] = []


def double(number: int) -> int:
    return 2 * number


def note(path: str, line: str) -> str:
    """An effect that leaves a trace behind."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    return line


@flow(executor=WORKER)
async def doubled(ctx: Context, number: int) -> dict[str, Any]:
    """Double a number, and say where."""
    return {"number": await ctx.step(double, number), "pid": os.getpid()}


@flow(executor=WORKER)
async def printing(ctx: Context) -> None:
    print("from Python")  # noqa: T201
    os.write(1, b"from C, \xff and no end of line")
    os.write(2, b"on stderr\n")
    ctx.message("and a message")


@flow(executor=WORKER)
async def chatty(ctx: Context) -> str:
    for _ in range(64):
        os.write(1, (b"x" * 1023 + b"\n") * 64)
    return "done"


@flow(executor=WORKER)
async def failing(ctx: Context) -> None:
    def fail() -> None:
        raise ValueError("no such thing")

    await ctx.step(fail)


@flow(executor=WORKER)
async def environment(ctx: Context) -> list[str]:
    return sorted(os.environ)


def die_by(number: int) -> None:
    time.sleep(0.1)  # long enough for it to be told that the step has begun
    os.kill(os.getpid(), number)
    time.sleep(60)


@flow(executor=WORKER)
async def killed(ctx: Context, trace: str, number: int = signal.SIGKILL) -> None:
    """Its worker is killed in the middle of its second step."""
    await ctx.step(note, trace, "first")
    await ctx.step(die_by, number)


def die_once(trace: str, ctx: StepContext) -> str:
    note(trace, ctx.idempotency_key)
    if Path(trace).read_text(encoding="utf-8").count(ctx.idempotency_key) == 1:
        os.write(2, b"I had better leave\n\n")
        os._exit(7)
    return "survived"


@flow(executor={"kind": WORKER, "retries": 1})
async def killed_once(ctx: Context, trace: str) -> str:
    await ctx.step(note, trace, "first")
    answer: str = await ctx.step(die_once, trace)
    return answer


@flow(executor={"kind": WORKER, "retries": 2})
async def killed_always(ctx: Context) -> None:
    await ctx.step(die_by, signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


@flow(executor=WORKER)
async def crashing(ctx: Context) -> None:
    await ctx.step(crash)


def grow(at_once: bool) -> int:
    held = []
    while True:
        held.append(b"x" * (2**40 if at_once else 2**23))


@flow(executor={"kind": WORKER, "memory": "256MiB"})
async def greedy(ctx: Context, at_once: bool = False) -> None:
    await ctx.step(grow, at_once)


@flow(executor={"kind": WORKER, "timeout": "300ms"})
async def endless(ctx: Context) -> None:
    """Never gives the loop back."""
    await ctx.step(double, 1)
    while True:
        pass


@flow(executor={"kind": WORKER, "timeout": "300ms"})
async def endless_in_c(ctx: Context) -> None:
    """Holds the interpreter's lock for minutes: neither signals nor threads get through."""
    pow(3, 10**9, 10**400_000 + 7)


@flow(executor=WORKER)
async def patient(ctx: Context, trace: str) -> None:
    """Waits to be cancelled, and cleans up."""
    try:
        note(trace, "begun")
        await asyncio.Event().wait()
    finally:
        note(trace, "cleaned up")


@flow(executor=WORKER)
async def stubborn(ctx: Context, trace: str) -> None:
    """Hears nothing of being cancelled."""
    note(trace, str(os.getpid()))
    while True:
        time.sleep(0.01)  # noqa: ASYNC251


@flow(executor=WORKER)
async def with_program(ctx: Context, trace: str) -> None:
    """Starts a program of its own, in a session of its own."""
    child = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    note(trace, str(child.pid))
    await asyncio.Event().wait()


@flow(executor=WORKER)
async def held(ctx: Context, folder: str) -> str:
    """Works until a file called `go` is there."""
    note(f"{folder}/{ctx.fid}", str(os.getpid()))

    def wait() -> str:
        while not Path(folder, "go").exists():
            time.sleep(0.005)
        return "gone"

    answer: str = await ctx.step(wait)
    return answer


@flow(executor=WORKER)
async def sleeping(ctx: Context, trace: str, seconds: float) -> str:
    await ctx.step(note, trace, "before")
    ctx.message("it will take a while")
    await ctx.sleep(seconds)
    answer: str = await ctx.step(note, trace, "after")
    return answer


def doze() -> None:
    time.sleep(60)


def fail_soon() -> None:
    time.sleep(0.05)
    raise ValueError("soon")


@flow(executor=WORKER)
async def leaving_work(ctx: Context, how: str) -> int:
    """Ends while something of it goes on."""
    if how == "thread":
        with contextlib.suppress(NodeError):
            await ctx.gather(ctx.step(doze), ctx.step(fail_soon))
    elif how == "task":
        LEFT.append(asyncio.create_task(asyncio.sleep(60)))
    return os.getpid()


@flow(executor=WORKER)
async def asking(ctx: Context) -> Any:
    return await ctx.lock("approve", schema={"type": "string", "enum": ["yes", "no"]})


def note_slowly(path: str, line: str) -> str:
    note(path, line)
    time.sleep(0.02)
    return line


@flow(executor={"kind": WORKER, "retries": 1000})
async def enduring(ctx: Context, trace: str, steps: int) -> list[str]:
    return [await ctx.step(note_slowly, trace, f"{ctx.fid}:{number}") for number in range(steps)]


@flow(executor=WORKER)
async def filing(ctx: Context) -> list[str]:
    """Leaves a file for download."""
    (ctx.folder / "out" / "report.txt").write_text("all is well")
    return sorted(path.name for path in (ctx.folder / "out").iterdir())


def decide(candidate: Candidate) -> None:
    if candidate.value != "yes":
        raise Denied("say yes")


@flow(executor=WORKER)
async def insisting(ctx: Context) -> Any:
    """Denies every answer but one."""
    return await ctx.lock("approve", schema={"type": "string"}, check=decide)


@flow(executor=WORKER)
async def forging(ctx: Context) -> None:
    """Writes into the channel to the host."""
    for number in range(3, 4096):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if mode & 0o170000 == 0o140000:
            os.write(number, b"\xff" * 64)
    await asyncio.Event().wait()


@flow(executor=WORKER)
async def closing(ctx: Context) -> str:
    """Closes its outputs behind the engine's back."""
    os.close(1)
    os.close(2)
    return "quiet"
