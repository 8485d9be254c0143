"""200 flows of 20 effectful steps, through dozens of deaths at random moments."""

import os
import random
from pathlib import Path

import pytest
from tests.crash.flows import LINE_BYTES, STEPS
from tests.crash.witness import Witness, victim_of

from penstock.testing.crash import KILLED

FLOWS = 200
KILLS = 36
DOZENS = 24

SPREAD_BYTES = LINE_BYTES * 7 // 8
"""Over how much of each line the kills are spread: so that work is left for the last of them."""


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_200_flows_survive_dozens_of_kills(tmp_path: Path, url: str) -> None:
    """`PENSTOCK_CRASH_SEED` repeats the moments of an earlier run, as far as the machine does."""
    seed = int(os.environ.get("PENSTOCK_CRASH_SEED") or random.SystemRandom().getrandbits(32))
    chance = random.Random(seed)
    witness, victim = Witness(tmp_path, url), victim_of(tmp_path, FLOWS, url)
    try:
        while victim.kills < KILLS:
            # How far the ledger grows in this life; 0 kills while it starts or recovers.
            left = FLOWS * STEPS * SPREAD_BYTES - witness.size
            fair = max(left // (KILLS - victim.kills), LINE_BYTES)
            goal = witness.size + chance.choice((0, 1, 1, 2)) * chance.randrange(fair)
            patience = chance.randrange(1, 400) if chance.random() < 0.2 else None
            code = victim.run(kill_when=_Moment(witness, goal, patience))
            await witness.look()
            if code == 0 and victim.kills >= DOZENS:
                break  # on a busy machine a kill may come late, and nothing is left for the last ones
            assert code == KILLED, f"ended before its time with {code}: {victim.output()[-2000:]}"
        assert victim.run() == 0, victim.output()[-4000:]
        await witness.judge(FLOWS)
    except BaseException as error:
        error.add_note(f"PENSTOCK_CRASH_SEED={seed}")
        raise


class _Moment:
    """When to kill: once the ledger has grown to `goal` bytes, or after so many looks."""

    def __init__(self, witness: Witness, goal: int, patience: int | None) -> None:
        self._witness = witness
        self._goal = goal
        self._patience = patience
        self._looks = 0

    def __call__(self) -> bool:
        self._looks += 1
        return self._witness.size > self._goal or self._looks == self._patience
