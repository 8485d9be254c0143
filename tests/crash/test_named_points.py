"""One death at each named point, and a second one after the restart."""

from pathlib import Path

import pytest
from tests.crash.flows import STEPS
from tests.crash.witness import Witness, victim_of

from penstock.testing.crash import KILLED

FLOWS = 8

POINTS = [
    "effect.begins",
    "effect.done",
    "node.executed",
    "child.executed",
    "retry.backoff",
    "timer.set",
    "commit.begins",
    "commit.done",
]


@pytest.mark.parametrize("hit", [1, 7])
@pytest.mark.parametrize("point", POINTS)
async def test_flows_survive_a_death_at(point: str, hit: int, tmp_path: Path, url: str) -> None:
    witness, victim = Witness(tmp_path, url), victim_of(tmp_path, FLOWS, url)
    for number in (hit, 3):
        assert victim.run(crash_at=point, hit=number) == KILLED, victim.output()[-2000:]
        await witness.look()
    assert victim.run() == 0, victim.output()[-4000:]
    assert victim.kills == 2
    await witness.judge(FLOWS)
    if point in ("effect.done", "node.executed"):
        assert len(witness.lines) > FLOWS * STEPS, "what was in flight ran again, and left a second mark"
