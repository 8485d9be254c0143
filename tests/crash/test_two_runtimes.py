"""Two runtimes on one database: one is killed, the other is paused for longer than its lease."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.crash.flows import LEASE_SECONDS, LINE_BYTES, STEPS
from tests.crash.witness import Witness, command_of

from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.store.postgres.store import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FLOWS = 320
ROUNDS = 3
PATIENCE_SECONDS = 60.0

LINES_AT_MOST = 300
"""By how many lines the ledger grows before each blow, so that work is left for the last."""


class Peer:
    """One of the processes; it is started anew after each death."""

    def __init__(self, folder: Path, url: str) -> None:
        self._command = command_of(folder, FLOWS, url)
        self._log = folder / "log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]


@pytest.fixture
def peers(tmp_path: Path, postgres: str) -> Iterator[tuple[Peer, Peer]]:
    both = Peer(tmp_path, postgres), Peer(tmp_path, postgres)
    yield both
    for peer in both:
        peer.send(signal.SIGCONT)
        peer.kill()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.002)


async def owners_change(store: PostgresStore, paused: set[str]) -> None:
    """Return when no unfinished run belongs to these owners any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while paused & {row.owner for row in await store.runs(RunQuery(states=UNFINISHED))}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


UNFINISHED = tuple(state for state in RunState if not state.terminal)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_nothing_is_lost_or_doubled_when_one_is_killed_and_one_paused(
    tmp_path: Path, postgres: str, peers: tuple[Peer, Peer]
) -> None:
    """`PENSTOCK_CRASH_SEED` repeats the moments of an earlier run, as far as the machine does."""
    seed = int(os.environ.get("PENSTOCK_CRASH_SEED") or random.SystemRandom().getrandbits(32))
    chance = random.Random(seed)
    witness, store = Witness(tmp_path, postgres), PostgresStore(postgres)
    await store.open()
    try:
        for turn in range(ROUNDS):
            await until(grown(witness, chance.randrange(LINES_AT_MOST)))
            killed, other = peers if turn % 2 else peers[::-1]
            killed.kill()
            await witness.look_while_they_live()
            killed.start()
            await until(grown(witness, chance.randrange(LINES_AT_MOST)))
            other.send(signal.SIGSTOP)
            witness.pauses += 1
            name = f"-{other.process.pid}-"
            paused = {
                row.owner for row in await store.runs(RunQuery(states=UNFINISHED)) if name in row.owner
            }
            await owners_change(store, paused)
            await witness.look_while_they_live()
            other.send(signal.SIGCONT)
        for peer in peers:
            await until(lambda peer=peer: peer.has_ended)
            assert peer.process.returncode == 0, peer.said
        await witness.judge(FLOWS)
    except BaseException as error:
        error.add_note(f"PENSTOCK_CRASH_SEED={seed}")
        raise
    finally:
        await store.close()


def grown(witness: Witness, lines: int) -> Callable[[], bool]:
    """Whether the ledger has grown by so many lines since now."""
    goal = witness.size + lines * LINE_BYTES
    assert goal < FLOWS * STEPS * LINE_BYTES, "all is done before the last blow"
    return lambda: witness.size >= goal


async def test_a_dead_runtime_is_missed_soon(
    tmp_path: Path, postgres: str, peers: tuple[Peer, Peer]
) -> None:
    """A lease and a third of it, and what a loaded machine adds."""
    store = PostgresStore(postgres)
    await store.open()
    try:
        await until((tmp_path / "ledger").exists)
        peers[0].kill()
        name = f"-{peers[0].process.pid}-"
        paused = {
            row.owner for row in await store.runs(RunQuery(states=UNFINISHED)) if name in row.owner
        }
        began = asyncio.get_running_loop().time()
        await owners_change(store, paused)
        assert asyncio.get_running_loop().time() - began < LEASE_SECONDS * 4 / 3 + 3
    finally:
        await store.close()
