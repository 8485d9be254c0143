"""Events in pages of JSON, for those who would rather ask than listen."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from penstock.api.pages import EventPage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from penstock.core.events import Event
    from penstock.host.streams.following import Following

SCANNED: Final = 10_000
"""So many events are looked at for one page, wanted or not."""


async def page(
    entering: AbstractContextManager[Following], *, limit: int, wait_seconds: float = 0.0
) -> EventPage:
    """The next events, at most `limit` of them, of those up to the end of the following.

    wait_seconds: how long to wait for the first one; then those that came with it will do.
    """
    found: list[Event] = []
    with entering as following:
        enough = 1 if wait_seconds else limit
        furthest = following.seq + SCANNED
        with contextlib.suppress(TimeoutError):  # that there is nothing yet is an answer as well
            async with asyncio.timeout(wait_seconds or None):
                while len(found) < enough and following.seq < furthest and not following.done:
                    found += await following.take()
        rest = len(found) > limit
        return EventPage(
            items=[event.to_mapping() for event in found[:limit]],
            next=found[limit - 1].seq if rest else following.seq,
            eof=following.over and not rest,
        )
