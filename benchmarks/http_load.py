"""HTTP servers in processes of their own, and the load that wrk puts on them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

CONNECTIONS: Final = 64
ROUNDS: Final = 5
SECONDS: Final = 3
_START_SECONDS: Final = 60.0

_MILLISECONDS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Load(NamedTuple):
    """What a server bore.

    rate: requests/s. p99_ms: of the time until an answer. cpu_us: of processor time per request,
    which other work on the machine hardly changes.
    """

    rate: float
    p99_ms: float
    cpu_us: float


class Served(NamedTuple):
    """A server that runs. url: what is asked; pid: of its process; options: of wrk."""

    url: str
    pid: int
    options: tuple[str, ...] = ()


def unable() -> str:
    """Why nothing can be measured here, or ""."""
    if not Path("/proc/self/stat").exists():
        return "the time of a process is read from /proc, which is not here"
    return "" if shutil.which("wrk") else "wrk is not installed"


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot choose one."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def program(
    argv: Sequence[str], *, port: int, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> AsyncIterator[Served]:
    """A server on a port of 127.0.0.1, from when it answers until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=sys.stderr,
        start_new_session=True,
    )
    try:
        await _answering(port, process)
        yield Served(f"http://127.0.0.1:{port}/", process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _answering(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until the server says that all is well; one that is loading says something else."""
    async with asyncio.timeout(_START_SECONDS):
        while not await _answers(port):
            if process.returncode is not None:
                raise RuntimeError(f"the server ended with {process.returncode} before it answered")
            await asyncio.sleep(0.1)


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    line = b""
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            line = await reader.readline()
    writer.close()
    return b" 200 " in line


async def loads(servers: Mapping[str, Served]) -> dict[str, Load]:
    """What each bears at its best.

    They take turns, round after round: whatever else the machine does, it does it to all.
    """
    found: dict[str, list[Load]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, served in servers.items():
            found[name].append(await _wrk(served))
    return {
        name: Load(
            rate=max(each.rate for each in several),
            p99_ms=min(each.p99_ms for each in several),
            cpu_us=min(each.cpu_us for each in several),
        )
        for name, several in found.items()
    }


async def _wrk(served: Served) -> Load:
    argv = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS}",
        "--timeout",
        "10s",
        "--latency",
        *served.options,
        served.url,
    ]
    before = _cpu_seconds(served.pid)
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output = (await process.communicate())[0].decode()
    spent = _cpu_seconds(served.pid) - before
    if bad := re.search(r"Non-2xx.*|Socket errors.*", output):
        raise RuntimeError(f"{served.url} failed under load: {bad.group()}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    count = re.search(r"(\d+) requests in", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", output)
    if rate is None or count is None or p99 is None:
        raise RuntimeError(f"wrk said something else than expected:\n{output}")
    return Load(
        rate=float(rate[1]),
        p99_ms=float(p99[1]) * _MILLISECONDS[p99[2]],
        cpu_us=spent / int(count[1]) * 1e6,
    )


def _cpu_seconds(pid: int) -> float:
    """What a process has used so far, in itself and in the kernel; all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
