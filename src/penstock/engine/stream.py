"""Following a run's stream: from any event on, first from the store, then live.

A subscriber is a cursor, never a queue: it takes what it wants when it wants it, and one
that is slow reads from the store what has left memory. So it cannot slow a run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from penstock.core.errors import RunNotFound

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.core.store import Store

TAIL: Final = 1024
"""How many of the newest events stay in memory for those who follow."""

PAGE: Final = 512


class Tail:
    """The newest events of a run that somebody follows, and who waits for more."""

    __slots__ = ("_changed", "_events", "followers")

    def __init__(self) -> None:
        self.followers = 0
        self._events: deque[Event] = deque(maxlen=TAIL)
        self._changed: asyncio.Future[None] | None = None

    def extend(self, events: list[Event]) -> None:
        """Take what has just been committed, and wake those who wait."""
        self._events.extend(events)
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    def after(self, seq: int) -> list[Event] | None:
        """The events after `seq`, or None when some of them have left memory."""
        if not self._events or self._events[0].seq > seq + 1:
            return None
        return [event for event in self._events if event.seq > seq]

    def changed(self) -> asyncio.Future[None]:
        """A future for the next commit; shared, so do not cancel it."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed


class Streams:
    """The tails of all runs that somebody follows.

    check: raises for a run that will tell nothing more, before anybody waits for it.
    """

    def __init__(
        self, store: Store, *, is_live: Callable[[str], bool], check: Callable[[str], None]
    ) -> None:
        self._store = store
        self._is_live = is_live
        self._check = check
        self._tails: dict[str, Tail] = {}

    @property
    def followed(self) -> bool:
        """Whether anybody follows any run."""
        return bool(self._tails)

    def publish(self, fid: str, events: list[Event]) -> None:
        """Show committed events to whoever follows the run."""
        tail = self._tails.get(fid)
        if tail is not None:
            tail.extend(events)

    def wake(self, fid: str | None = None) -> None:
        """Let those who follow a run, or any run, look again."""
        for tail in list(self._tails.values()) if fid is None else filter(None, [self._tails.get(fid)]):
            tail.extend([])

    async def follow(self, fid: str, after: int = 0) -> AsyncIterator[Event]:
        """Every event after `after`, each once and in order, until the terminal one."""
        tail = self._tails.setdefault(fid, Tail())
        tail.followers += 1
        try:
            while True:
                # Asked for before reading: what is committed in between wakes us.
                changed = tail.changed()
                events = tail.after(after)
                if events is None:
                    events = await self._store.events(fid, after=after, limit=PAGE)
                for event in events:
                    after = event.seq
                    yield event
                    if event.terminal:
                        return
                if events:
                    continue
                self._check(fid)
                if self._is_live(fid):
                    await asyncio.shield(changed)
                    continue
                row = await self._store.run(fid)
                if row is None:
                    raise RunNotFound(
                        f"no run has the id `{fid}`", remedy="`penstock runs ls` lists them"
                    )
                if row.state.terminal and row.seq <= after:
                    return
                await self._elsewhere(fid, after, changed)
        finally:
            tail.followers -= 1
            if not tail.followers:
                self._tails.pop(fid, None)

    async def _elsewhere(self, fid: str, after: int, changed: asyncio.Future[None]) -> None:
        """Wait for events of a run that another process executes, or that waits on disk."""
        foreign = asyncio.ensure_future(self._store.changed(fid, after=after))
        try:
            await asyncio.wait((foreign, changed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            foreign.cancel()
