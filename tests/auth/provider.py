"""Auth providers whose passwords cost next to nothing, and waiting for what they learn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher

from penstock.auth import Auth
from penstock.auth.passwords import Passwords
from penstock.core.clock import Clock
from penstock.core.store import Store
from penstock.store.keys import GivenKeys, Key

KEYS = GivenKeys(Key(b"k" * 32).text)
PASSWORD = "correct horse"


class CountingHasher(PasswordHasher):
    """A cheap hasher that counts what it was asked."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**{"time_cost": 1, "memory_cost": 8, "parallelism": 1} | parameters)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002 - argon2's name
        self.verified += 1
        return super().verify(hash, password)


def make_auth(
    store: Store,
    *,
    clock: Clock,
    namespace: str = "default",
    keys: GivenKeys = KEYS,
    hasher: PasswordHasher | None = None,
) -> Auth:
    passwords = Passwords(hasher=hasher or CountingHasher())
    return Auth(store, secrets=keys, clock=clock, namespace=namespace, passwords=passwords)


async def until(auth: Auth, holds: Callable[[], bool]) -> None:
    """Wait until something holds in a directory that follows. Raises TimeoutError after 5 s."""
    changed = asyncio.Event()
    unlisten = auth.directory.listen(changed.set)
    try:
        async with asyncio.timeout(5):
            while not holds():
                changed.clear()
                await changed.wait()
    finally:
        unlisten()
