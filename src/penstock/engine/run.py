"""The handle of a run: what its launcher, and anyone else, can do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from penstock.core.errors import RunNotFound

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.core.payload import Payload
    from penstock.core.store import RunRow
    from penstock.engine.runtime import Runtime


class Run:
    """A run by its id. It holds nothing: as many as one likes cost next to nothing.

    Only a run that nobody records leaves its outcome with its handle.
    begun: the run at a glance as the launch that gave this handle has begun it; None where it
    was there before.
    """

    __slots__ = ("_outcome", "_runtime", "begun", "fid")

    def __init__(
        self,
        runtime: Runtime,
        fid: str,
        *,
        outcome: asyncio.Future[Payload] | None = None,
        begun: RunRow | None = None,
    ) -> None:
        self._runtime = runtime
        self._outcome = outcome
        self.fid = fid
        self.begun = begun

    def __repr__(self) -> str:
        return f"Run({self.fid!r})"

    @property
    def fresh(self) -> bool:
        """Whether the launch that gave this handle has begun the run, and did not find it."""
        return self.begun is not None

    async def row(self) -> RunRow:
        """The run at a glance. Raises RunNotFound."""
        row = await self._runtime.store.run(self.fid)
        if row is None:
            raise RunNotFound(f"no run has the id `{self.fid}`", remedy="`penstock runs ls` lists them")
        return row

    async def result(self) -> Payload:
        """Wait for the end and return the result.

        Raises RunFailed, RunCancelled, RunTimeout or NonDeterminism when it did not
        complete, RunSuspended when the runtime was closed first, StoreError when its
        journal could not be written, RunNotFound.
        """
        if self._outcome is not None:
            return await asyncio.shield(self._outcome)
        return await self._runtime.result(self.fid)

    def events(self, *, after: int = 0) -> AsyncIterator[Event]:
        """Every event after `after`, each once and in order; ends with the terminal one."""
        return self._runtime.streams.follow(self.fid, after)

    async def cancel(self, reason: str = "") -> None:
        """End the run and return when it has ended. An ended run stays as it is."""
        await self._runtime.cancel(self.fid, reason)
