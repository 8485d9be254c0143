"""Clients of a host that launch runs as fast as they are answered.

Plain sockets and as little Python as possible: what is measured is the host, and the clients
have a processor to share with nobody but it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

THREE: Final = {
    "work.py": "async def one(number: int) -> int:\n    return number + 1\n",
    "three.yaml": """
flow: three
inputs: {number: {type: integer, default: 0}}
nodes:
  - {kind: python, name: a, function: work.py:one, links: {out: b}}
  - {kind: python, name: b, function: work.py:one, links: {out: c}}
  - {kind: python, name: c, function: work.py:one}
""",
}
"""A flow of three nodes, each of which is on disk before the next one begins: its files."""

_FID: Final = re.compile(rb'"fid":"([^"]+)"')


def project(folder: Path) -> Path:
    """Write the flow into a folder, which is made for it if need be."""
    folder.mkdir(exist_ok=True)
    for name, text in THREE.items():
        (folder / name).write_text(text)
    return folder


class Launched(NamedTuple):
    """What became of some launches.

    fids: of those that were answered 201, in that order. refused: the first lines of other
    answers. cut: launches whose connection ended before an answer. seconds: for all of them.
    latencies: seconds from each request to its answer.
    """

    fids: list[str]
    refused: list[str]
    cut: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Launches per second."""
        return len(self.fids) / self.seconds

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the launches did not exceed, such as 0.99."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


async def launch(
    url: str,
    token: str,
    flow: str,
    *,
    count: int,
    connections: int = 64,
    body: bytes = b'{"inputs":{}}',
    answered: Callable[[int], object] = lambda _: None,
) -> Launched:
    """Launch a flow so many times, over so many connections at a time.

    answered: called with the number of launches that were answered 201 so far.
    """
    parts = urlsplit(url)
    request = (
        f"POST /api/v1/flows/{flow}/runs HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    left = count
    fids: list[str] = []
    refused: list[str] = []
    latencies: list[float] = []
    cut = 0

    async def client() -> None:
        nonlocal left, cut
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError:
            return
        try:
            while left > 0:
                left -= 1
                began = time.perf_counter()
                try:
                    writer.write(request)
                    head, content = await _answer(reader)
                except (OSError, asyncio.IncompleteReadError):
                    cut += 1
                    return
                latencies.append(time.perf_counter() - began)
                found = _FID.search(content)
                if b" 201 " in head[:16] and found is not None:
                    fids.append(found[1].decode())
                    answered(len(fids))
                else:
                    refused.append(head.partition(b"\r\n")[0].decode())
        finally:
            writer.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            group.create_task(client(), name=f"client-{number}")
    return Launched(fids, refused, cut, time.perf_counter() - began, latencies)


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return head, await reader.readexactly(int(length[1])) if length else b""
