"""A launch with a key and a file, and a retry with another input, wherever the process dies."""

import shutil
import sys
from pathlib import Path

import pytest
from tests.crash.launches import LETTERS

from penstock.core.states import RunState
from penstock.store import open_store
from penstock.testing.conformance import opened
from penstock.testing.crash import KILLED, Victim


@pytest.mark.parametrize(
    ("point", "hits"),
    [("commit.begins", (1, 2, 9)), ("commit.done", (1, 4, 10)), ("node.executed", (1, 3, 11))],
)
async def test_each_letter_is_read_once_whatever_dies(
    point: str, hits: tuple[int, ...], tmp_path: Path, url: str
) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    for number in range(LETTERS):
        (staged / f"{number}.txt").write_text(f"letter {number}")
    command = [sys.executable, "-m", "tests.crash.launches", str(tmp_path), url]
    victim = Victim(command, log=tmp_path / "log")
    for hit in hits:
        assert victim.run(crash_at=point, hit=hit) in (KILLED, 0), victim.output()[-3000:]
    assert victim.run() == 0, victim.output()[-3000:]
    assert victim.kills >= 2
    async with opened(lambda: open_store(url)) as store:
        rows = await store.runs()
    assert [row.state for row in rows] == [RunState.COMPLETED] * (LETTERS + 1)
    assert {row.key for row in rows if row.key} == {f"letter {number}" for number in range(LETTERS)}
    for row in rows:
        loud = (tmp_path / "files" / row.fid / "out" / "loud.txt").read_text()
        assert loud == ("OTHER" if row.launcher else row.key.upper())
    shutil.rmtree(tmp_path / "files")
