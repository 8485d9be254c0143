"""News between processes, by LISTEN and NOTIFY.

A commit does not notify by itself: the notifications of all sessions of a server queue up
behind one lock, which is held until the commit is on disk. Instead the commits of some
milliseconds are told together, on another connection. What is never told, because a
process died in between, is found by a look every few seconds. Specs and values change so
rarely that their commits notify by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError
from penstock.store.bell import Bell
from penstock.store.postgres import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from penstock.store.postgres.line import Line

QUIET_SECONDS: Final = 0.01
"""Commits closer together than this are told together."""

RETRY_SECONDS: Final = 0.5
"""How often whoever waits tries whether a database that went away is back."""

_LONGEST: Final = 7000
"""Bytes of a notification; PostgreSQL takes fewer than 8,000."""

Topic = tuple[str, str]
"""A channel, and which of its news: the fid of a run, or nothing."""


class News:
    """What this process tells of its commits, and hears of those of others.

    on_owners: called when runs of another runtime have become free.
    """

    def __init__(self, schema: str, *, on_owners: Callable[[], None]) -> None:
        self.events = f"{schema}_events"
        self.signals = f"{schema}_signals"
        self.owners = f"{schema}_owners"
        self.catalogue = f"{schema}_catalogue"
        self._on_owners = on_owners
        self._bells: dict[Topic, set[Bell]] = {}
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._closing = Bell()

    # Hearing

    async def listen(self, connection: Any) -> None:
        """Hear news on a new connection. Everybody looks: some may have been missed.

        They look, and so connect anew, when it ends, too.
        """
        connection.add_termination_listener(lambda _: self.ring())
        for channel in (self.events, self.signals, self.owners, self.catalogue):
            await connection.add_listener(channel, self._heard)
        self.ring()

    @contextlib.contextmanager
    def bell(self, channel: str, fid: str = "") -> Iterator[Bell]:
        """A bell that rings for the news of a channel, or for those of one run there."""
        bell, topic = Bell(), (channel, fid)
        self._bells.setdefault(topic, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[topic]
            bells.discard(bell)
            if not bells:
                del self._bells[topic]

    def ring(self, topics: Iterable[Topic] | None = None) -> None:
        """Ring the bells of these topics, or all."""
        for topic in list(self._bells) if topics is None else topics:
            for bell in self._bells.get(topic, ()):
                bell.set()

    def _heard(self, _: Any, __: int, channel: str, payload: str) -> None:
        if channel == self.owners:
            self._on_owners()
        elif channel == self.events and payload:
            if self._bells:
                self.ring((channel, fid) for fid in json.loads(payload))
        else:
            self.ring(topic for topic in list(self._bells) if topic[0] == channel)

    # Telling

    def tell(self, fids: Iterable[str], line: Line) -> None:
        """Let all processes know soon that these runs have new events."""
        self._untold.update(fids)
        if self._telling is None and not self._closing.is_set():
            self._telling = asyncio.get_running_loop().create_task(
                self._tell_all(line), name="penstock:news"
            )

    async def close(self) -> None:
        """Tell what is left, and nothing more."""
        self._closing.set()
        if self._telling is not None:
            await asyncio.wait([self._telling])

    async def _tell_all(self, line: Line) -> None:
        try:
            while self._untold:
                await self._tell(line)
                await self._closing.rings(within=QUIET_SECONDS)
        finally:
            self._telling = None

    async def _tell(self, line: Line) -> None:
        payload = json.dumps(list(self._untold), ensure_ascii=False)
        if len(payload.encode("utf-8", "replace")) > _LONGEST:
            payload = ""
        self._untold = set()
        try:
            async with line as connection:
                await connection.execute(statements.NOTIFY, self.events, payload)
        except StoreError:
            return  # those who wait look again by themselves
