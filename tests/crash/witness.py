"""What a parent knows of the flows that it kills: the ledger, and what the journal had promised."""

import sys
from collections import defaultdict
from pathlib import Path

from tests.crash.flows import RESULTS, STEPS, fid_of, store_at, strand_of

from penstock import Event, EventType, RunState
from penstock.core.record import RunRecord
from penstock.core.store import RunRow
from penstock.testing.crash import Victim


def command_of(folder: Path, count: int, url: str) -> list[str]:
    """What brings so many flows to their end, over the store of this address."""
    return [sys.executable, "-m", "tests.crash.flows", str(folder), str(count), url]


def victim_of(folder: Path, count: int, url: str, *, timeout: float = 60.0) -> Victim:
    """The process that does so."""
    return Victim(command_of(folder, count, url), log=folder / "log", timeout=timeout)


class Witness:
    """Looks at a folder between two lives of its process, and judges at the end.

    promised: firing → the line of the ledger from which on it must not appear again.
    pauses: how often a process was paused. One that is paused right between its last look
    at its lease and the mark leaves that mark when it wakes up, whatever others have done;
    it is at one such place at most.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.pauses = 0
        self.promised: dict[tuple[str, str], int] = {}

    @property
    def lines(self) -> list[list[str]]:
        """Run, firing, key and attempt of each mark so far."""
        path = self.folder / "ledger"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def size(self) -> int:
        """How long the ledger is, in bytes; cheap enough to ask a thousand times a second."""
        path = self.folder / "ledger"
        return path.stat().st_size if path.exists() else 0

    async def journal(self) -> list[tuple[RunRow, list[Event]]]:
        """Every run that the store knows, with its stream."""
        store = store_at(self.url)
        await store.open()
        try:
            return [(row, await store.events(row.fid)) for row in await store.runs()]
        finally:
            await store.close()

    async def look(self) -> None:
        """Take down what the journal promises now: what it says is done is never done again.

        A step that left a mark found everything before it on disk, so of the steps that
        wait for each other only the last one can be missing there.
        """
        lines = self.lines
        now = len(lines)
        for row, events in await self.journal():
            for event in events:
                if event.type == EventType.NODE_COMPLETED:
                    self.promised.setdefault((row.fid, event.node), now)
        last = {(fid, strand_of(firing)): firing for fid, firing, _, _ in lines}
        for fid, firing, _, _ in lines:
            ahead = (fid, firing) not in self.promised and last[fid, strand_of(firing)] != firing
            assert not ahead, f"{fid} went on from {firing}, which was not on disk"

    async def look_while_they_live(self) -> None:
        """The same for processes that go on meanwhile: what is done was marked before."""
        journal = await self.journal()
        now = len(self.lines)
        for row, events in journal:
            for event in events:
                if event.type == EventType.NODE_COMPLETED:
                    self.promised.setdefault((row.fid, event.node), now)

    async def judge(self, count: int) -> None:
        """Hold the end against what was promised. So many flows must have completed."""
        keys = defaultdict(set)
        firings = defaultdict(set)
        again = []
        for number, (fid, firing, key, _) in enumerate(self.lines):
            if number >= self.promised.get((fid, firing), number + 1):
                again.append(f"{fid} {firing}")
            keys[fid, firing].add(key)
            firings[key].add((fid, firing))
        assert len(again) <= self.pauses, f"ran again: {again}"
        assert all(len(found) == 1 for found in keys.values()), "a repeated step had another key"
        assert all(len(found) == 1 for found in firings.values()), "two steps shared a key"
        assert len(keys) == count * STEPS
        journal = await self.journal()
        assert sorted(row.fid for row, _ in journal) == [fid_of(number) for number in range(count)]
        for row, events in journal:
            _judge_run(row, events)
            completed = {event.node for event in events if event.type == EventType.NODE_COMPLETED}
            marked = {firing for fid, firing in keys if fid == row.fid}
            assert marked <= completed, "a step left a mark and no record"


def _judge_run(row: RunRow, events: list[Event]) -> None:
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.terminal for event in events].count(True) == 1
    record = RunRecord.fold(events)
    assert row.state is record.state is RunState.COMPLETED, record.error
    assert record.result == RESULTS[row.flow]
    assert row.seq == len(events)
    assert row.wake_at is None
    assert row.ended is not None
