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
from typing import Final, NamedTuple

CONNECTIONS: Final = 64
SECONDS: Final = 5
WARM_UP_SECONDS: Final = 1
_START_SECONDS: Final = 60.0

_MILLISECONDS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Load(NamedTuple):
    """What a server bore. rate: requests/s; p99_ms: of the time until an answer."""

    rate: float
    p99_ms: float


def unable() -> str:
    """Why nothing can be measured here, or ""."""
    return "" if shutil.which("wrk") else "wrk is not installed"


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot choose one."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def program(
    argv: Sequence[str], *, port: int, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """The URL of a server on a port of 127.0.0.1, from when it answers until the block ends."""
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
        yield f"http://127.0.0.1:{port}/"
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


async def load(url: str, *options: str) -> Load:
    """The best of three runs of wrk, after a short one to warm up."""
    await _wrk(url, WARM_UP_SECONDS, options)
    return max([await _wrk(url, SECONDS, options) for _ in range(3)])


async def _wrk(url: str, seconds: int, options: Sequence[str]) -> Load:
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", *options, url]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output = (await process.communicate())[0].decode()
    if bad := re.search(r"Non-2xx.*|Socket errors.*", output):
        raise RuntimeError(f"{url} failed under load: {bad.group()}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", output)
    if rate is None or p99 is None:
        raise RuntimeError(f"wrk said something else than expected:\n{output}")
    return Load(float(rate[1]), float(p99[1]) * _MILLISECONDS[p99[2]])
