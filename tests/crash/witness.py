"""What a parent knows of the flows that it kills: the ledger, and what the journal had promised."""

import sys
from collections import defaultdict
from pathlib import Path

from tests.crash.flows import RESULTS, STEPS, fid_of, strand_of

from penstock import Event, EventType, RunState
from penstock.core.record import RunRecord
from penstock.core.store import RunRow
from penstock.store.sqlite import SqliteStore
from penstock.testing.crash import Victim


def victim_of(folder: Path, count: int, *, timeout: float = 60.0) -> Victim:
    """The process that brings so many flows to their end."""
    command = [sys.executable, "-m", "tests.crash.flows", str(folder), str(count)]
    return Victim(command, log=folder / "log", timeout=timeout)


class Witness:
    """Looks at a folder between two lives of its process, and judges at the end.

    promised: firing → the line of the ledger from which on it must not appear again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        if not (self.folder / "journal.db").exists():
            return []
        store = SqliteStore(self.folder / "journal.db")
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

    async def judge(self, count: int) -> None:
        """Hold the end against what was promised. So many flows must have completed."""
        keys = defaultdict(set)
        firings = defaultdict(set)
        for number, (fid, firing, key, _) in enumerate(self.lines):
            assert number < self.promised.get((fid, firing), number + 1), f"{fid} {firing} ran again"
            keys[fid, firing].add(key)
            firings[key].add((fid, firing))
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
