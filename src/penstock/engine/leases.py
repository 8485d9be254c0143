"""Leases: what nodes of one runtime use together, such as the connections to a database."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar


class Closable(Protocol):
    async def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Leases:
    """What is leased, by key: made for the first who takes it, closed by the last who gives it back."""

    def __init__(self) -> None:
        self._things: dict[Hashable, Any] = {}
        self._takers: dict[Hashable, int] = {}

    def take(self, key: Hashable, make: Callable[[], T]) -> Lease[T]:
        """A lease of what is known under the key; nobody knows it yet: of what `make` gives."""
        if key not in self._things:
            self._things[key] = make()
            self._takers[key] = 0
        self._takers[key] += 1
        return Lease(self, key, self._things[key])

    async def give_back(self, key: Hashable) -> None:
        """One who took it needs it no more."""
        self._takers[key] -= 1
        if not self._takers[key]:
            del self._takers[key]
            await self._things.pop(key).close()


class Lease(Generic[T]):
    """A share in `thing`, until it is given back."""

    __slots__ = ("_key", "_leases", "thing")

    def __init__(self, leases: Leases, key: Hashable, thing: T) -> None:
        self._leases = leases
        self._key = key
        self.thing = thing

    async def give_back(self) -> None:
        """Do it once."""
        await self._leases.give_back(self._key)
