"""The ends of runs, and who waits for them here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.core.errors import PenstockError
    from penstock.core.events import Event


class Ends:
    """Who waits for the end of each run. Of a run that will not end here, the reason is kept."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Event | None]]] = {}
        self._reasons: dict[str, PenstockError] = {}

    def __len__(self) -> int:
        """How many runs somebody waits for."""
        return len(self._waiting)

    def check(self, fid: str) -> None:
        """Raise the reason why a run will not end here, if there is one."""
        if fid in self._reasons:
            raise self._reasons[fid]

    async def of(self, fid: str) -> Event | None:
        """The terminal event of a run, or None when it has to be looked for elsewhere."""
        end: asyncio.Future[Event | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(fid, []).append(end)
        return await end

    def come(self, fid: str, event: Event | None = None) -> None:
        """Give those who wait the end of a run; without one they look for it, wherever it is now."""
        for end in self._waiting.pop(fid, ()):
            if not end.done():
                end.set_result(event)

    def give_up(self, fid: str, error: PenstockError) -> None:
        """Tell those who wait, now or later, why a run cannot go on."""
        self._reasons[fid] = error
        for end in self._waiting.pop(fid, ()):
            if not end.done():
                end.set_exception(error)

    def hope(self, fid: str) -> None:
        """A run goes on after all."""
        self._reasons.pop(fid, None)

    def close(self) -> None:
        """Send all who wait elsewhere."""
        for fid in list(self._waiting):
            self.come(fid)
