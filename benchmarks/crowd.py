"""A host in a process of its own, and a crowd of clients that follow its runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self, cast

import httpx

_START_SECONDS: Final = 60.0
_FRAME: Final = re.compile(rb"id: (\d+)\nevent: \S+\ndata: \{\"seq\":\d+,\"at\":\"([^\"]+)\"")


class CrowdHost:
    """A `penstock serve` that runs. url: of the host; token: its administrator's."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, url: str, token: str) -> None:
        self.process = process
        self.folder = folder
        self.url = url
        self.token = token

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    @property
    def cpu_seconds(self) -> float:
        """Of processor time that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=f"{self.url}/api/v1", headers=headers, timeout=60)

    async def launch(self, flow: str, inputs: Mapping[str, Any], *, times: int = 1) -> list[str]:
        """The ids of so many runs."""
        async with self.client() as client:
            fids = []
            for _ in range(times):
                answer = await client.post(f"/flows/{flow}/runs", json={"inputs": inputs})
                answer.raise_for_status()
                fids.append(answer.json()["fid"])
            return fids


@asynccontextmanager
async def crowd_host(folder: Path, flows: Path) -> AsyncIterator[CrowdHost]:
    """A host of these flows with a store in a folder, from when it listens until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "penstock", "serve"),
        *("--flows", str(flows), "--bind", "127.0.0.1:0", "--drain", "1s", "--log", "json"),
        cwd=folder,
        env=kept | {"PENSTOCK_STORE": f"sqlite:///{folder}/store.db", "PYTHONUNBUFFERED": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            url = await _found(process.stderr, r"(http://127[\d.]+:\d+)")
            token = await _found(process.stderr, r"(pst_\S+)")
        draining = asyncio.create_task(_drain(process.stderr), name="stderr of the host")
        try:
            yield CrowdHost(process, folder, url, token)
        finally:
            draining.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def _found(stream: asyncio.StreamReader, pattern: str) -> str:
    told = ""
    while line := (await stream.readline()).decode():
        told += line
        if match := re.search(pattern, line):
            return match[1]
    raise RuntimeError(f"the host ended:\n{told}")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


class Listener(asyncio.Protocol):
    """One client that follows a run, and notes what it sees of it.

    seqs: of the events, in the order in which they came. ended: an `eof` came. closed: nothing
    more will come. late_ms: of each event that happened while this one listened, how long after
    that it came, if `times`.
    """

    def __init__(self, host: CrowdHost, fid: str, *, times: bool = False) -> None:
        self.seqs: list[int] = []
        self.late_ms: list[float] = []
        self.ended = False
        self.closed = asyncio.get_running_loop().create_future()
        self._host = host
        self._fid = fid
        self._times = times
        self._since = 0.0
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    async def connect(self) -> Self:
        """Follow the run from where this one is."""
        loop = asyncio.get_running_loop()
        self.closed = loop.create_future()
        self._rest = b""
        await loop.create_connection(lambda: self, *self._host.address)
        return self

    async def cut(self) -> None:
        """Leave, at whatever place in a frame."""
        assert self._transport is not None
        self._transport.abort()
        await self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        last = self.seqs[-1] if self.seqs else 0
        lines = (  # by HTTP/1.0 there are no chunks to take apart
            f"GET /api/v1/runs/{self._fid}/events HTTP/1.0",
            "Accept: text/event-stream",
            f"Authorization: Bearer {self._host.token}",
            f"Last-Event-ID: {last}",
        )
        transport.write("\r\n".join((*lines, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            self._rest = data
            return
        whole, self._rest = data[:end], data[end:]
        now = time.time()
        self._since = self._since or now
        for seq, at in _FRAME.findall(whole):
            self.seqs.append(int(seq))
            if self._times:
                happened = datetime.fromisoformat(at.decode()).timestamp()
                if happened > self._since:
                    self.late_ms.append((now - happened) * 1000)
        if whole.endswith(b'event: eof\ndata: {"type":"eof"}\n\n'):
            self.ended = True

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        if not self.closed.done():
            self.closed.set_result(None)

    async def restless(self, chance: Callable[[], float], *, seconds: float) -> None:
        """Follow to the end, cut and connected again after up to so many seconds each time."""
        while not self.ended:
            await self.connect()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.closed), chance() * seconds)
            if not self.closed.done():
                await self.cut()


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values is."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
