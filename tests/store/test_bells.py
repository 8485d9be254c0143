"""Bells between processes: whoever waits hears, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from penstock.store import bells as module
from penstock.store.bells import Bells

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 10.0


def hung(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def descriptors() -> set[str]:
    """The numbers of this process's open files."""
    return {path.name for path in Path("/dev/fd").iterdir()}


def dead(folder: Path, *names: str) -> None:
    """FIFOs that nobody has open."""
    folder.mkdir(exist_ok=True)
    for name in names:
        os.mkfifo(folder / name)


def fill(fifo: Path) -> None:
    """Write as much as it holds, as when its process is stopped while others ring."""
    descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal.db.bells"


def bells(folder: Path, poll: float = PATIENCE_SECONDS) -> Bells:
    return Bells(folder, poll=poll)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_ring_reaches_every_bell_on_either_loop(folder: Path, factory: Callable[[], Any]) -> None:
    async def ring_and_hear() -> None:
        here, there = bells(folder), bells(folder)
        with here.bell() as one, here.bell() as two, there.bell() as three:
            for ringer in (here, there, bells(folder)):
                ringer.ring()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await asyncio.gather(one.wait(), two.wait(), three.wait())
                for bell in (one, two, three):
                    bell.clear()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(ring_and_hear())


async def test_nothing_rings_before_it_is_rung(folder: Path) -> None:
    here = bells(folder)
    with here.bell() as bell:
        await bell.rings(within=0)
        assert not bell.is_set()


async def test_a_ring_between_a_look_and_the_wait_is_heard(folder: Path) -> None:
    with bells(folder).bell() as bell:
        bell.clear()
        bells(folder).ring()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await bell.rings(within=PATIENCE_SECONDS * 2)
        assert bell.is_set()


async def test_one_process_hangs_one_fifo_for_all_who_wait_and_takes_it_down_after_the_last(
    folder: Path,
) -> None:
    here, before = bells(folder), descriptors()
    with here.bell():
        with here.bell():
            assert len(hung(folder)) == 1
        assert len(hung(folder)) == 1
    assert hung(folder) == []
    assert descriptors() == before


async def test_closing_takes_the_fifo_down_and_wakes_who_waits(folder: Path) -> None:
    here, before = bells(folder), descriptors()
    with here.bell() as bell:
        here.close()
        await asyncio.wait_for(bell.wait(), PATIENCE_SECONDS)
        assert hung(folder) == []
    here.close()
    assert descriptors() == before


async def test_who_rings_removes_the_bells_of_the_dead(folder: Path) -> None:
    dead(folder, "1-dead.bell")
    with bells(folder).bell() as bell:
        dead(folder, "2-dead.bell")
        before = descriptors()
        bells(folder).ring()
        await asyncio.wait_for(bell.wait(), PATIENCE_SECONDS)
        assert descriptors() == before
        assert len(hung(folder)) == 1


async def test_who_hangs_one_up_removes_what_the_dead_left(folder: Path) -> None:
    dead(folder, "1-dead.bell", "2-dead.new", "3-being-made.new")
    os.utime(folder / "2-dead.new", (0, 0))
    before = descriptors()
    with bells(folder).bell():
        names = hung(folder)
    assert "3-being-made.new" in names
    assert len(names) == 2
    assert descriptors() == before


async def test_a_bell_that_nobody_answers_does_not_hold_up_who_rings(folder: Path) -> None:
    with bells(folder).bell() as bell:
        fill(folder / hung(folder)[0])
        bells(folder).ring()
        await asyncio.wait_for(bell.wait(), PATIENCE_SECONDS)


async def test_without_fifos_who_waits_looks_often_instead(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = descriptors()
    here = Bells(tmp_path / "file" / "bells", poll=0.01)
    with here.bell() as bell:
        assert here.patience == 0.01
        bell.clear()
        here.ring()  # who waits in the same process hears it all the same
        assert bell.is_set()
    assert descriptors() == before


async def test_a_file_system_without_fifos_leaves_nothing_half_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("no FIFOs here")

    before = descriptors()
    for name in ("mkfifo", "open"):
        with monkeypatch.context() as patch:
            patch.setattr(module.os, name, refuse)
            here = bells(folder)
            with here.bell():
                assert here.patience == PATIENCE_SECONDS
                assert hung(folder) == []
    assert descriptors() == before


async def test_a_folder_of_any_depth_will_do(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["deep" * 10] * 8)  # a socket's address would end at 107 bytes
    deep.mkdir(parents=True)
    with bells(deep / "bells").bell() as bell:
        bells(deep / "bells").ring()
        await asyncio.wait_for(bell.wait(), PATIENCE_SECONDS)
