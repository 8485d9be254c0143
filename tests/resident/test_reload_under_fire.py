"""A graph that changes while it is asked: nothing fails, and no answer comes from two of its states."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from pathlib import Path

import pytest
from tests.cli.started import Started
from tests.resident.world import until

from penstock.document.reader import examine_data
from penstock.engine.catalog.specs import Specs
from penstock.kinds import standard_scheme
from penstock.store import open_store

CONNECTIONS = 64
CHANGES = 200
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"

pytestmark = pytest.mark.slow


def graph(revision: int) -> list[dict[str, object]]:
    """Two branches that say the revision: one at once, one behind a node that needs the loop."""
    code = f'"{revision}"'
    return [
        {"kind": "snippet", "name": "left", "language": "json", "code": code},
        {
            "kind": "step",
            "name": "right",
            "specs": [
                {"kind": "time.delay", "duration": "1ms"},
                {"kind": "snippet", "language": "json", "code": code},
            ],
        },
    ]


class Asker:
    """A keep-alive connection that asks again as soon as it is answered."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.failures: list[str] = []

    async def ask(self, host: str, port: int, over: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while not over.is_set():
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                body = await reader.readexactly(length)
                if head.startswith(b"HTTP/1.1 200 "):
                    self.answers.append(body)
                else:
                    self.failures.append(f"{head!r} {body!r}")
        except (OSError, asyncio.IncompleteReadError) as error:
            self.failures.append(repr(error))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def asked_on(askers: list[Asker], wanted: int) -> bool:
    """Whether so many answers have come, or any failure."""
    answered = sum(len(asker.answers) for asker in askers)
    return answered >= wanted or any(asker.failures for asker in askers)


async def test_no_request_fails_and_no_answer_is_mixed_while_the_graph_changes(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    await store.open()
    specs = Specs(store, scheme=standard_scheme())
    listener = {"kind": "listener", "name": "web", "port": 0, "links": {"out": ["left", "right"]}}
    await specs.apply([examine_data([listener, *graph(0)])], namespace="default")
    with Started(tmp_path, "start") as served:
        host, _, port = served.address().partition(":")
        over = asyncio.Event()
        askers = [Asker() for _ in range(CONNECTIONS)]
        async with asyncio.TaskGroup() as group:
            for asker in askers:
                group.create_task(asker.ask(host, int(port), over))
            for revision in range(1, CHANGES + 1):
                await specs.apply([examine_data(graph(revision))], namespace="default")
                seen = sum(len(asker.answers) for asker in askers)
                await until(partial(asked_on, askers, seen + 20))
            last = f'["{CHANGES}","{CHANGES}"]'.encode()
            await until(lambda: all(asker.answers[-1:] == [last] for asker in askers))
            over.set()
        code, told = served.stop()
    await store.close()
    assert [failure for asker in askers for failure in asker.failures] == []
    answers = {answer for asker in askers for answer in asker.answers}
    mixed = [answer for answer in answers if len(set(answer.decode().strip("[]").split(","))) != 1]
    assert mixed == []
    assert len(answers) > CHANGES // 4  # many of its states were seen at work
    assert code == 0
    assert "Traceback" not in told
