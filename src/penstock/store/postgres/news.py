"""News between processes, by LISTEN and NOTIFY.

A commit does not notify by itself: the notifications of all sessions of a server queue up
behind one lock, which is held until the commit is on disk. Instead the commits of some
milliseconds are told together, on another connection. What is never told, because a
process died in between, is found by a look every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError
from penstock.store.postgres import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from penstock.store.postgres.line import Line

QUIET_SECONDS: Final = 0.01
"""Commits closer together than this are told together."""

LOOK_SECONDS: Final = 5.0
"""After which whoever waits looks again, though nothing was told."""

_LONGEST: Final = 7000
"""Bytes of a notification; PostgreSQL takes fewer than 8,000."""

Bell = asyncio.Event


class News:
    """What this process tells of its commits, and hears of those of others.

    on_owners: called when runs of another runtime have become free.
    """

    def __init__(self, schema: str, *, on_owners: Callable[[], None]) -> None:
        self.events = f"{schema}_events"
        self.signals = f"{schema}_signals"
        self.owners = f"{schema}_owners"
        self._on_owners = on_owners
        self._bells: dict[str | None, set[Bell]] = {}
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    # Hearing

    async def listen(self, connection: Any) -> None:
        """Hear news on a new connection. Everybody looks: some may have been missed."""
        for channel in (self.events, self.signals, self.owners):
            await connection.add_listener(channel, self._heard)
        self.ring()

    @contextlib.contextmanager
    def bell(self, fid: str | None) -> Iterator[Bell]:
        """A bell that rings for news of a run, or for words when there is no fid."""
        bell = Bell()
        self._bells.setdefault(fid, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[fid]
            bells.discard(bell)
            if not bells:
                del self._bells[fid]

    def ring(self, fids: Iterable[str | None] | None = None) -> None:
        """Ring the bells of these runs, or all."""
        for fid in list(self._bells) if fids is None else fids:
            for bell in self._bells.get(fid, ()):
                bell.set()

    def _heard(self, _: Any, __: int, channel: str, payload: str) -> None:
        if channel == self.owners:
            self._on_owners()
        elif channel == self.signals:
            self.ring([None])
        elif self._bells:
            self.ring(json.loads(payload) if payload else None)

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
                await _passed(self._closing, QUIET_SECONDS)
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


async def rings(bell: Bell) -> None:
    """Wait for a bell, or until it is time to look anyway."""
    await _passed(bell, LOOK_SECONDS)


async def _passed(event: asyncio.Event, seconds: float) -> None:
    """Return when something has happened or so much time has passed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
