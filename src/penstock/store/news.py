"""Waiting for what other processes write into a database file: one look for all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from penstock.core.errors import StoreError


class News:
    """Who waits for events of which runs.

    mark: differs from an earlier one when anything was committed since. lasts: the last seq of each
    of some runs that are there. poll: seconds between two looks while somebody waits.
    """

    def __init__(
        self,
        mark: Callable[[], object],
        lasts: Callable[[Iterable[str]], Mapping[str, int]],
        *,
        poll: float,
    ) -> None:
        self._mark = mark
        self._lasts = lasts
        self._poll = poll
        self._seen: object = None
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def of(self, fid: str, *, after: int) -> None:
        """Return when a run has events with a seq above `after`. Raises StoreError."""
        if self._lasts([fid]).get(fid, 0) > after:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting[waiter] = fid, after
        if self._timer is None:
            self._seen = None  # the first look is at everything
            self._timer = loop.call_later(self._poll, self._look)
        try:
            await waiter
        finally:
            self._waiting.pop(waiter, None)

    def _look(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        try:
            self._tell()
        except StoreError as error:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        self._timer = asyncio.get_running_loop().call_later(self._poll, self._look)

    def _tell(self) -> None:
        mark = self._mark()
        if mark == self._seen:
            return
        self._seen = mark
        lasts = self._lasts({fid for fid, _ in self._waiting.values()})
        for waiter, (fid, after) in self._waiting.items():
            if lasts.get(fid, 0) > after and not waiter.done():
                waiter.set_result(None)
