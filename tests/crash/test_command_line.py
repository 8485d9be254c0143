"""`penstock run` killed while its flow waits, and `penstock runs resume`."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock import Event, EventType
from penstock.store.sqlite import SqliteStore
from penstock.testing.crash import KILLED, Victim

DELAY = """
flow: nap
nodes:
  - {kind: shell.exec, name: before, command: [sh, -c, "echo before >> LEDGER"], links: {stdout: nap}}
  - {kind: time.delay, name: nap, duration: 1500ms, links: {out: after}}
  - {kind: shell.exec, name: after, command: [sh, -c, "echo after >> LEDGER"]}
"""

BACKOFF = """
flow: again
nodes:
  - kind: shell.exec
    name: flaky
    command: [sh, -c, "echo try >> LEDGER; test -e READY"]
    retry: {attempts: 2, delay: 1500ms}
"""

LOOP = """
flow: rounds
nodes:
  - {kind: loop, name: each, items: [0, 1, 2], concurrency: 1, links: {out: mark}}
  - {kind: shell.exec, name: mark, command: [sh, -c, "echo mark >> LEDGER"], links: {stdout: nap}}
  - {kind: time.delay, name: nap, duration: 600ms}
"""


class CommandLine:
    """`penstock` with a store, a ledger and a flow document in one folder."""

    def __init__(self, folder: Path, document: str) -> None:
        self.folder = folder
        self.store = folder / "runs.db"
        text = document.replace("LEDGER", str(folder / "ledger")).replace("READY", str(folder / "ready"))
        (folder / "flow.yaml").write_text(text)

    def penstock(self, *arguments: str) -> Victim:
        command = [sys.executable, "-m", "penstock", *arguments, "--store", str(self.store), "--json"]
        return Victim(command, log=self.folder / "log", timeout=30)

    def killed_after(self, type_: str, node: str) -> list[Event]:
        """Run the flow until this event is on disk, kill it, and return its stream so far."""

        def is_on_disk() -> bool:
            return any(event.type == type_ and event.node == node for event in self.events())

        code = self.penstock("run", str(self.folder / "flow.yaml")).run(kill_when=is_on_disk)
        assert code == KILLED, (self.folder / "log").read_text()
        return self.events()

    def events(self) -> list[Event]:
        """The stream of the one run; nothing as long as there is none."""
        return asyncio.run(self._events()) if self.store.exists() else []

    async def _events(self) -> list[Event]:
        store = SqliteStore(self.store)
        await store.open()
        try:
            return [event for row in await store.runs() for event in await store.events(row.fid)]
        finally:
            await store.close()

    @property
    def ledger(self) -> list[str]:
        return (self.folder / "ledger").read_text().split()


@pytest.fixture
def command_line(tmp_path: Path) -> Callable[[str], CommandLine]:
    return lambda document: CommandLine(tmp_path, document)


def _one(events: list[Event], type_: str, node: str, number: int = 0) -> Event:
    return [event for event in events if event.type == type_ and event.node == node][number]


def test_a_delay_is_waited_for_to_its_recorded_end(command_line: Callable[[str], CommandLine]) -> None:
    line = command_line(DELAY)
    before = line.killed_after(EventType.NODE_WAITING, "nap")
    assert line.penstock("runs", "resume").run() == 0
    events = line.events()
    assert events[: len(before)] == before
    until = _one(before, EventType.NODE_WAITING, "nap").data["until"]
    assert [event.data["until"] for event in events if event.type == EventType.NODE_WAITING] == [until]
    assert _one(events, EventType.NODE_COMPLETED, "nap").time >= until
    assert line.ledger == ["before", "after"]


def test_a_backoff_is_waited_for_to_its_recorded_end(command_line: Callable[[str], CommandLine]) -> None:
    line = command_line(BACKOFF)
    before = line.killed_after(EventType.NODE_RETRYING, "flaky")
    (line.folder / "ready").touch()
    assert line.penstock("runs", "resume").run() == 0
    events = line.events()
    until = _one(before, EventType.NODE_RETRYING, "flaky").data["until"]
    second = _one(events, EventType.NODE_STARTED, "flaky", 1)
    assert second.data["attempt"] == 2
    assert second.time >= until
    assert line.ledger == ["try", "try"]


def test_a_loop_goes_on_with_the_item_it_was_at(command_line: Callable[[str], CommandLine]) -> None:
    line = command_line(LOOP)
    before = line.killed_after(EventType.NODE_WAITING, "each[1]/nap")
    assert line.penstock("runs", "resume").run() == 0
    events = line.events()
    assert not [event for event in events[len(before) :] if event.node.startswith("each[0]")]
    waits = [event.node for event in events if event.type == EventType.NODE_WAITING]
    assert waits == ["each[0]/nap", "each[1]/nap", "each[2]/nap"]
    assert line.ledger == ["mark"] * 3


def test_the_result_of_a_run_that_was_killed_is_printed_by_resume(
    command_line: Callable[[str], CommandLine],
) -> None:
    line = command_line(DELAY.replace("echo after >> LEDGER", "echo hello"))
    line.killed_after(EventType.NODE_WAITING, "nap")
    (line.folder / "log").unlink()
    resume = line.penstock("runs", "resume", "@")
    assert resume.run() == 0
    assert "hello" in json.dumps(resume.output())
