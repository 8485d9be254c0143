"""A run's events as bytes, each made once for all who follow the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.core.payload import to_json

if TYPE_CHECKING:
    from penstock.core.events import Event

KEPT_BYTES: Final = 1 << 20
"""So much of a run's transcript is kept while it is followed."""


class Kept(dict["tuple[int, int]", bytes]):
    """Pieces of a transcript by their first and last event; the oldest go when they are too many."""

    def __init__(self) -> None:
        self._size_bytes = 0

    def keep(self, events: list[Event], piece: bytes) -> bytes:
        """Keep a piece, and return it."""
        self[events[0].seq, events[-1].seq] = piece
        self._size_bytes += len(piece)
        while self._size_bytes > KEPT_BYTES and len(self) > 1:
            self._size_bytes -= len(self.pop(next(iter(self))))
        return piece


class Transcript:
    """What was made of the newest events of one run. followers: how many read it.

    Those who follow a run live take the same events at the same time, so that most pieces are made
    once; one who is behind, or wants only some events, has them put together for itself.
    """

    def __init__(self) -> None:
        self.followers = 0
        self._events = Kept()
        self._pieces = Kept()

    def json(self, event: Event) -> bytes:
        """The event as flat JSON."""
        made = self._events.get((event.seq, event.seq))
        return made or self._events.keep([event], to_json(event.to_mapping()))

    def frames(self, events: list[Event], *, whole: bool) -> bytes:
        """Events as they stand in a `text/event-stream`. whole: none is left out between them."""
        if not whole:
            return b"".join(map(self._frame, events))
        made = self._pieces.get((events[0].seq, events[-1].seq))
        return made or self._pieces.keep(events, b"".join(map(self._frame, events)))

    def _frame(self, event: Event) -> bytes:
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.seq, event.type.encode(), self.json(event))
