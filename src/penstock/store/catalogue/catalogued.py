"""Stores of which the catalogue is a part of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from penstock.core.catalog import Catalog, Collection, Entry, RuntimeReport, Write


class Catalogued:
    """The methods of a Catalog, each passed on to `_catalogue`."""

    _catalogue: Catalog

    async def write(self, writes: Sequence[Write], *, at: float) -> list[Entry]:
        return await self._catalogue.write(writes, at=at)

    async def entries(
        self, collection: Collection, *, namespace: str | None = None, keys: Sequence[str] = ()
    ) -> list[Entry]:
        return await self._catalogue.entries(collection, namespace=namespace, keys=keys)

    async def history(self, collection: Collection, id: str) -> list[Entry]:  # noqa: A002 - the field's word
        return await self._catalogue.history(collection, id)

    async def position(self) -> int:
        return await self._catalogue.position()

    def changes(self, *, after: int) -> AsyncIterator[list[Entry]]:
        return self._catalogue.changes(after=after)

    async def reseal(self, seal: Callable[[bytes], bytes]) -> int:
        return await self._catalogue.reseal(seal)

    async def report(self, namespace: str, body: bytes, *, at: float) -> None:
        await self._catalogue.report(namespace, body, at=at)

    async def reports(self, namespace: str) -> list[RuntimeReport]:
        return await self._catalogue.reports(namespace)
