"""The catalogue that forgets everything at the end of the process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from penstock.core.catalog import Collection, RuntimeReport
from penstock.store.catalogue.revise import head_of, revise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from penstock.core.catalog import Entry, Write


class MemoryCatalogue:
    """Specs and values in this process. Places are dense, so that of an entry is its index.

    owner: the one runtime there is.
    """

    def __init__(self, *, owner: str) -> None:
        self._owner = owner
        self._stream: list[Entry] = []
        self._newest: dict[tuple[Collection, str], Entry] = {}
        self._reports: dict[str, RuntimeReport] = {}
        self._news = asyncio.Event()

    async def write(self, writes: Sequence[Write], *, at: float) -> list[Entry]:
        heads = map(head_of, self._newest.values())
        entries = revise(writes, heads, position=len(self._stream), at=at)
        self._stream += entries
        self._newest.update(((entry.collection, entry.id), entry) for entry in entries)
        if entries:
            self._news.set()
            self._news = asyncio.Event()
        return entries

    async def entries(
        self, collection: Collection, *, namespace: str | None = None, keys: Sequence[str] = ()
    ) -> list[Entry]:
        found = [
            entry
            for entry in self._newest.values()
            if entry.collection == collection
            and not entry.deleted
            and (namespace is None or entry.namespace == namespace)
            and (not keys or entry.id in keys or entry.name in keys)
        ]
        return sorted(found, key=lambda entry: (entry.namespace, entry.name, entry.id))

    async def history(self, collection: Collection, id: str) -> list[Entry]:  # noqa: A002 - the field's word
        return [
            entry
            for entry in reversed(self._stream)
            if entry.collection == collection and entry.id == id
        ]

    async def position(self) -> int:
        return len(self._stream)

    async def changes(self, *, after: int) -> AsyncIterator[list[Entry]]:
        while True:
            news = self._news
            found = self._stream[after:]
            if found:
                after = found[-1].position
                yield found
            else:
                await news.wait()

    async def reseal(self, seal: Callable[[bytes], bytes]) -> int:
        sealed = {
            place: msgspec.structs.replace(entry, content=seal(entry.content))
            for place, entry in enumerate(self._stream)
            if entry.collection == Collection.VALUES and entry.content is not None
        }
        for place, entry in sealed.items():  # nothing can fail from here on
            self._stream[place] = entry
            if self._newest[entry.collection, entry.id].revision == entry.revision:
                self._newest[entry.collection, entry.id] = entry
        return len(sealed)

    async def report(self, namespace: str, body: bytes, *, at: float) -> None:
        if body:
            self._reports[namespace] = RuntimeReport(owner=self._owner, at=at, body=body)
        else:
            self._reports.pop(namespace, None)

    async def reports(self, namespace: str) -> list[RuntimeReport]:
        return [self._reports[namespace]] if namespace in self._reports else []
