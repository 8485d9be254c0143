"""Events in pages of JSON, for those who would rather ask than listen."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from penstock.api.pages import EventPage

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.host.streams.following import Following

SCANNED: Final = 10_000
"""So many events are looked at for one page, wanted or not."""


async def page(
    entering: AbstractContextManager[Following], *, limit: int, wait_seconds: float = 0.0
) -> EventPage:
    """The next events, at most `limit` of them.

    wait_seconds: how long to wait for the first one, if the following goes on so long.
    """
    found: list[Event] = []
    with entering as following:
        first = following.seq
        try:
            async with asyncio.timeout(wait_seconds or None):
                while not following.done and not found and following.seq - first < SCANNED:
                    found = await following.take(limit)
        except TimeoutError:
            pass  # there is nothing yet, which is an answer as well
        return EventPage(
            items=[event.to_mapping() for event in found], next=following.seq, eof=following.over
        )
