"""Following a run's stream: from any event on, first from the store, then live.

A subscriber is a cursor, never a queue: it takes what it wants when it wants it, and one
that is slow reads from the store what has left memory. So it cannot slow a run. Who has
nothing to take costs nothing: a commit, or a look at the store that all of a run's
subscribers share, wakes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final, Self

from penstock.core.errors import RunNotFound, StoreError

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.core.store import Store

TAIL: Final = 1024
"""How many of the newest events stay in memory for those who follow; at times twice as many."""

PAGE: Final = 512


class Tail:
    """The newest events of a run that somebody follows, and who waits for more.

    news: grows with each commit. watch: looks for what other processes commit.
    """

    __slots__ = ("_events", "followers", "news", "waiting", "watch")

    def __init__(self) -> None:
        self.followers = 0
        self.news = 0
        self.waiting: set[Subscription] = set()
        self.watch: asyncio.Task[None] | None = None
        self._events: list[Event] = []

    def extend(self, events: list[Event]) -> None:
        """Take what has just been committed, and wake those who wait."""
        held = self._events
        if events:
            if held and events[0].seq != held[-1].seq + 1:  # another process wrote in between
                held.clear()
            held += events
            if len(held) >= 2 * TAIL:
                del held[:-TAIL]
        self.news += 1
        waiting, self.waiting = self.waiting, set()
        for subscription in waiting:
            subscription.wake()

    def forget(self) -> None:
        """There are newer events, which did not pass by here: the store has them."""
        self._events.clear()
        self.news += 1

    def after(self, seq: int) -> list[Event] | None:
        """The events after `seq`, or None when some of them are not in memory."""
        held = self._events
        if not held or held[0].seq > seq + 1:
            return None
        return held[seq + 1 - held[0].seq :]


class Subscription:
    """A cursor in the stream of one run, to be used in a `with`.

    seq: the last event that was taken. ended: it was the terminal one.
    """

    __slots__ = ("_streams", "_tail", "_waiter", "ended", "fid", "seq")

    def __init__(self, streams: Streams, fid: str, after: int) -> None:
        self.fid = fid
        self.seq = after
        self.ended = False
        self._streams = streams
        self._waiter: asyncio.Future[bool] | None = None

    def __enter__(self) -> Self:
        self._tail = self._streams.join(self.fid)
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.leave(self.fid, self._tail)

    async def take(self, limit: int = PAGE) -> list[Event]:
        """The next events, about `limit` of them at most, as soon as there are any.

        None at all when the stream has ended, and when `nudge` was called. Raises RunNotFound,
        RunSuspended when the runtime closes first, and StoreError.
        """
        while not self.ended:
            news = self._tail.news
            events = self._tail.after(self.seq)
            if events is None:
                events = await self._streams.store.events(self.fid, after=self.seq, limit=limit)
            if events:
                events = events[:limit]
                self.seq = events[-1].seq
                self.ended = events[-1].terminal
                return events
            if await self._streams.is_over(self.fid, self._tail, after=self.seq):
                self.ended = True
            elif self._tail.news == news and await self.rest():  # nothing came while we looked
                return []
        return []

    def wake(self, *, nudged: bool = False) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(nudged)

    def nudge(self) -> None:
        """Let `take` return without events, if it waits for some."""
        self.wake(nudged=True)

    async def rest(self) -> bool:
        """Wait until there may be something new, and whether this was nudged instead."""
        self._waiter = asyncio.get_running_loop().create_future()
        self._tail.waiting.add(self)
        try:
            return await self._waiter
        finally:
            self._waiter = None
            self._tail.waiting.discard(self)


class Streams:
    """The tails of all runs that somebody follows.

    is_here: whether what is committed of a run will be told here. check: raises for a run that
    will tell nothing more, before anybody waits for it.
    """

    def __init__(
        self, store: Store, *, is_here: Callable[[str], bool], check: Callable[[str], None]
    ) -> None:
        self.store = store
        self._is_here = is_here
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

    def subscribe(self, fid: str, after: int = 0) -> Subscription:
        """A cursor behind the event `after`."""
        return Subscription(self, fid, after)

    async def follow(self, fid: str, after: int = 0) -> AsyncIterator[Event]:
        """Every event after `after`, each once and in order, until the terminal one."""
        with self.subscribe(fid, after) as subscription:
            while events := await subscription.take():
                for event in events:
                    yield event

    # Subscriptions call these.

    def join(self, fid: str) -> Tail:
        tail = self._tails.setdefault(fid, Tail())
        tail.followers += 1
        return tail

    def leave(self, fid: str, tail: Tail) -> None:
        tail.followers -= 1
        if not tail.followers:
            self._tails.pop(fid, None)
            if tail.watch is not None:
                tail.watch.cancel()

    async def is_over(self, fid: str, tail: Tail, *, after: int) -> bool:
        """Whether nothing comes behind `after`; if something may, whoever waits will be woken."""
        self._check(fid)
        if self._is_here(fid):
            return False
        row = await self.store.run(fid)
        if row is None:
            raise RunNotFound(f"no run has the id `{fid}`", remedy="`penstock runs ls` lists them")
        if row.seq > after:
            tail.forget()
            return False
        if row.state.terminal:
            return True
        if tail.watch is None:
            watching = self._watch(fid, tail, after=row.seq)
            tail.watch = asyncio.get_running_loop().create_task(watching, name=f"penstock:watch:{fid}")
        return False

    async def _watch(self, fid: str, tail: Tail, *, after: int) -> None:
        """Wake those who wait for events of a run that another process executes."""
        with contextlib.suppress(StoreError):  # they look for themselves, and meet with the same
            await self.store.changed(fid, after=after)
        tail.watch = None
        tail.extend([])
