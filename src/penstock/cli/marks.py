"""How a state looks: one symbol and one colour, the same wherever it is shown."""

from __future__ import annotations

from typing import Final, NamedTuple


class Mark(NamedTuple):
    symbol: str
    style: str


MARKS: Final = {
    "pending": Mark("·", "dim"),
    "running": Mark("●", "blue"),
    "waiting": Mark("◷", "cyan"),
    "retrying": Mark("↻", "yellow"),
    "completed": Mark("✓", "green"),
    "failed": Mark("✗", "red"),
    "skipped": Mark("○", "dim"),
    "cancelled": Mark("⊘", "yellow"),
}
"""Mark of every state of a run and of a firing, by the state's name."""
