"""Agent frameworks: what they call a flow, served as one of ours."""

from __future__ import annotations

from penstock.agents.crewai.reader import CrewReader
from penstock.engine.references import Reader

__all__ = ["standard_readers"]


def standard_readers() -> tuple[Reader, ...]:
    """A reader for each framework; none of them imports its framework before there is a need."""
    return (CrewReader(),)
