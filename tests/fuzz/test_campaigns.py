"""Any input: a refusal or a success, never a crash, a hang or a half-applied change.

Each campaign runs in a process of its own, behind a fence, with a fixed seed; `python -m
tests.fuzz` has longer ones. PENSTOCK_FUZZ_TIMES=50 makes these tests do fifty times as much.
"""

from __future__ import annotations

import os
import sys
from typing import Final

import pytest
from tests.fuzz.campaigns import CAMPAIGNS, available, run

TIMES: Final = float(os.environ.get("PENSTOCK_FUZZ_TIMES", "1"))
SEED: Final = 1
MEGABYTES: Final = 24.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 300 * TIMES)]


def test_the_campaigns_together_are_large_enough() -> None:
    assert sum(CAMPAIGNS.values()) >= MEGABYTES


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_any_document_is_taken_or_refused(campaign: str) -> None:
    if campaign not in available():
        assert not _has_atheris(), "atheris is missing: install the group `test` of pyproject.toml"
        pytest.skip("atheris, the coverage-guided fuzzer, is for Linux and Python up to 3.13")
    megabytes = CAMPAIGNS[campaign] * TIMES
    report = run(campaign, megabytes=megabytes, seed=SEED)
    sys.stdout.write(f"{report}\n")

    assert report.size_bytes >= megabytes * 1e6
    assert 0 < report.accepted < report.inputs


def test_any_document_is_taken_or_refused_by_postgresql(postgres: str) -> None:
    report = run("applied", megabytes=TIMES, seed=SEED, options=["--store", postgres])

    assert 0 < report.accepted < report.inputs


def _has_atheris() -> bool:
    """Whether the dependency group brings it here."""
    return sys.platform == "linux" and sys.version_info < (3, 14)
