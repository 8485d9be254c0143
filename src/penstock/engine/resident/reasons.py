"""Reasons: why a spec is not active, in words."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.core.problems import Problem
    from penstock.engine.resident.draft import Draft
    from penstock.engine.resident.linking import Verdict

TAKEN_DOWN: Final = "taken down"
"""What a node lacks that somebody has taken down."""


def wrong_with(draft: Draft, verdict: Verdict | None) -> str:
    """What is wrong with a spec, or with its links; empty when nothing is."""
    if draft.problems:
        return draft.wrong
    return told(verdict.problems) if verdict is not None else ""


def lacks(draft: Draft, verdict: Verdict | None, active: Container[str]) -> str:
    """What a spec waits for. active: the keys of what there is."""
    if draft.missing:
        return f"{', '.join(draft.missing)} is missing"
    if verdict is None:
        return ""
    if verdict.missing == (TAKEN_DOWN,):
        return TAKEN_DOWN
    if verdict.missing:
        return f"{', '.join(f'`{name}`' for name in verdict.missing)} is missing"
    return "waits for " + ", ".join(f"`{name}`" for name in verdict.needs if name not in active)


def told(problems: Iterable[Problem]) -> str:
    """Problems in one line."""
    return "; ".join(str(problem).replace("\n", " ") for problem in problems)


def of_failure(error: Exception) -> str:
    """What a node died of while it was loaded, in one line."""
    message = getattr(error, "message", "") or str(error) or type(error).__name__
    return message.partition("\n")[0]
