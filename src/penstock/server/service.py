"""What all connections of one server share."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import Final, Protocol

from penstock.core.clock import Clock, Timer
from penstock.server.head import Heads
from penstock.server.limits import Limits
from penstock.server.messages import Handler

LOG: Final = logging.getLogger("penstock.server")

LARGE_BYTES: Final = 64 << 10
"""A body from here on is not copied to stand in one piece with its head."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Member(Protocol):
    """A connection, as the server sees it."""

    def check(self, now: float) -> None:
        """Give up what has taken too long."""

    def retire(self) -> None:
        """Finish what was begun, and begin nothing."""

    def leave_if_idle(self) -> None:
        """Go now, if nothing was begun."""

    def cut(self) -> None:
        """Go now. What is done for the client is cancelled."""


class Service:
    """The handler and the limits, the open connections, and one timer for all of them.

    now: seconds of the clock's `monotonic` as of the last tick; exact enough for limits of
    seconds, and free to read. date: the `Date` line. plain_below: a body that is smaller needs
    no thought of compression or copying. retiring: the server drains. vacant: nobody is here.
    """

    def __init__(
        self, handler: Handler, *, limits: Limits, clock: Clock, compress_from_bytes: int | None
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.compresses = compress_from_bytes is not None
        self.compress_from = sys.maxsize if compress_from_bytes is None else compress_from_bytes
        self.plain_below = min(self.compress_from, LARGE_BYTES)
        self.heads = Heads()
        self.members: set[Member] = set()
        self.retiring = False
        self.now = clock.monotonic()
        self.date = date_line(clock.now())
        self.vacant = asyncio.Event()
        self.vacant.set()
        self._clock = clock
        self._timer: Timer | None = None

    def join(self, member: Member) -> None:
        self.members.add(member)
        self.vacant.clear()
        if self._timer is None:
            self._set_clock()  # it stood still while nobody was here

    def leave(self, member: Member) -> None:
        self.members.discard(member)
        if not self.members:
            self.vacant.set()

    def stop(self) -> None:
        """No more ticks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_clock(self) -> None:
        self.now = self._clock.monotonic()
        self.date = date_line(self._clock.now())
        self._timer = self._clock.call_later(self.limits.tick_seconds, self._tick)

    def _tick(self) -> None:
        """A server without connections does nothing at all: the last tick finds nobody."""
        self._timer = None
        if self.members:
            self._set_clock()
        for member in tuple(self.members):
            member.check(self.now)


def date_line(epoch_seconds: float) -> bytes:
    """The header `Date`. Not by strftime, whose names of days depend on the locale."""
    at = time.gmtime(epoch_seconds)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"Date: {day}, {at.tm_mday:02} {month} {at.tm_year} {clock} GMT\r\n".encode()
