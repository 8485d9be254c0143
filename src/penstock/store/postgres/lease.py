"""The lease: how a runtime shows that it lives, and learns that it was taken for dead."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import StoreError, StoreLost
from penstock.core.store import Shift
from penstock.store.postgres import statements
from penstock.store.postgres.failures import lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from penstock.store.postgres.line import Line

_MARGIN: Final = 0.1
"""The part of a lease that is not relied on, because clocks do not run alike."""

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that goes on while the machine sleeps, where there is one."""


class Lease:
    """A row of `owners` that is renewed three times in its span. Its token is the fence.

    A name is used for one token only, so runs of a lost lease never count as this
    runtime's again until it claims them. on_lost: called as soon as it is known. on_taken:
    writes what belongs to a lease, in the transaction that takes it.
    """

    def __init__(self, line: Line, *, seconds: float, channel: str, on_lost: Callable[[], None]) -> None:
        self._line = line
        self._seconds = seconds
        self._channel = channel
        self._on_lost = on_lost
        self.on_taken: Callable[[Any, int], Awaitable[None]] | None = None
        self._taking = asyncio.Lock()
        self._until = float("-inf")
        self._renewal: asyncio.Task[None] | None = None
        self._shifts: dict[Shift, None] = {}
        self._shifted = asyncio.Event()
        self.name = _new_name()
        self.former: set[str] = set()
        self.token: int | None = None

    @property
    def held(self) -> bool:
        """Whether the lease has not run out, by the clock of this machine."""
        if self.token is None:
            return not self.former
        return time.clock_gettime(_CLOCK) < self._until

    async def take(self) -> int:
        """The token of the lease; the first call takes one."""
        async with self._taking:
            if self.token is not None:
                return self.token
            began = time.clock_gettime(_CLOCK)
            async with self._line as connection, connection.transaction():
                token: int = await connection.fetchval(statements.TAKE_LEASE, self.name, self._seconds)
                if self.on_taken is not None:
                    await self.on_taken(connection, token)
            self.token = token
            self._extend(began)
            self._renewal = asyncio.get_running_loop().create_task(
                self._renew_always(token), name="penstock:lease"
            )
            return token

    async def renew(self) -> None:
        """Renew the lease now. Raises StoreLost when it was taken away."""
        token = self.token
        if token is None:
            if self.former:
                raise lost()
            return
        began = time.clock_gettime(_CLOCK)
        async with self._line as connection:
            dead = await connection.fetchval(
                statements.RENEW_LEASE, token, self._seconds, timeout=self._seconds
            )
        if dead is None:
            self.lose(token)
            raise lost()
        self._extend(began)
        if dead:
            self.tell(Shift.ORPHANED)

    def lose(self, token: int | None) -> None:
        """The lease with this token was taken away. Another one will have another name."""
        if token is None or token != self.token:
            return
        self.former.add(self.name)
        self.name, self.token = _new_name(), None
        self._on_lost()
        self.tell(Shift.LOST)

    async def release(self) -> None:
        """Give the lease up; its unfinished runs may be claimed by others."""
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.cancel()
            await asyncio.wait([renewal])
        token, self.token = self.token, None
        if token is not None:
            # Without an answer it runs out by itself, only later.
            with contextlib.suppress(StoreError):
                async with self._line as connection:
                    await connection.fetchval(
                        statements.RELEASE_LEASE, token, self._channel, timeout=self._seconds
                    )

    def tell(self, shift: Shift) -> None:
        """Something happened to the ownership of runs."""
        self._shifts[shift] = None
        self._shifted.set()

    async def shifts(self) -> AsyncIterator[Shift]:
        """What was told, each once until it is heard."""
        while True:
            await self._shifted.wait()
            self._shifted.clear()
            while self._shifts:
                shift = next(iter(self._shifts))
                del self._shifts[shift]
                yield shift

    def _extend(self, began: float) -> None:
        self._until = began + self._seconds * (1 - _MARGIN)

    async def _renew_always(self, token: int) -> None:
        while self.token == token:
            await asyncio.sleep(self._seconds / 3)
            try:
                await self.renew()
            except StoreLost:
                return  # `lose` has told it
            except StoreError:
                continue  # `held` ends by itself, and with it what this runtime may begin


def _new_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(6)}"
