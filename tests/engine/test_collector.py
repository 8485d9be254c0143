"""The collector of a process that serves."""

from __future__ import annotations

import gc

from penstock.engine.collector import YOUNG_OBJECTS, settle


def test_what_is_there_is_looked_at_no_more_and_what_comes_less_often() -> None:
    before = gc.get_threshold()
    try:
        settle()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == YOUNG_OBJECTS > before[0]
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle
        assert gc.collect() > 0  # garbage that comes is found as before
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
