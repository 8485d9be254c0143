"""Runs in the store itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from penstock.core.errors import EntryNotFound

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.api.files import FileView
    from penstock.core.events import Event
    from penstock.core.spec import FlowSpec
    from penstock.core.store import RunQuery, RunRow, Store
    from penstock.engine.runtime import Runtime


class StoreRuns:
    """The runs of a store that is open. runtime: over the same store, where runs are changed.

    files: where the folders of its runs are.
    """

    def __init__(
        self, store: Store, runtime: Runtime | None = None, *, files: Path | None = None
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._files = files

    async def run(self, fid: str) -> RunRow | None:
        return await self._store.run(fid)

    async def runs(self, query: RunQuery, /) -> list[RunRow]:
        return await self._store.runs(query)

    async def events(self, fid: str) -> list[Event]:
        return await self._store.events(fid)

    async def follow(self, fid: str) -> AsyncIterator[Event]:
        after = 0
        while True:
            # No limit: a store unpacks whole commits, so each page of a large one would cost all of it.
            events = await self._store.events(fid, after=after)
            for event in events:
                after = event.seq
                yield event
                if event.terminal:
                    return
            if not events:
                await self._store.changed(fid, after=after)

    async def executed(self, row: RunRow) -> bool:
        return await self._store.alive(row.owner)

    async def graph(self, row: RunRow) -> FlowSpec | None:
        from penstock.core.spec import from_document

        document = await self._store.revision(row.revision) if row.source == "graph" else None
        return None if document is None else from_document(document)

    async def files(self, fid: str) -> list[FileView]:
        from penstock.api.files import FileView
        from penstock.api.times import moment
        from penstock.host.files.media_types import media_type
        from penstock.host.files.run_files import list_files

        folder = self._folder(fid)
        return [
            FileView(
                name=found.name,
                size_bytes=found.size_bytes,
                media_type=media_type(found.name).partition(";")[0],
                modified=moment(found.modified),
            )
            for found in (list_files(folder) if folder is not None else ())
        ]

    async def download(self, fid: str, name: str, to: Path) -> Path:
        return self._save(fid, name, to)

    def _save(self, fid: str, name: str, to: Path) -> Path:
        import shutil

        from penstock.host.files.run_files import open_file

        folder = self._folder(fid)
        opened = open_file(folder, name) if folder is not None else None
        if opened is None:
            raise EntryNotFound(
                f"run {fid} has no file `{name}`", remedy=f"`penstock runs files {fid}` lists them"
            )
        target = to / name.rpartition("/")[2] if to.is_dir() else to
        with opened.content, target.open("wb") as copy:
            shutil.copyfileobj(opened.content, copy)
        return target

    def _folder(self, fid: str) -> Path | None:
        from penstock.engine.folder import RunFolders

        return None if self._files is None else RunFolders(self._files).of(fid).place

    async def cancel(self, fid: str, reason: str) -> None:
        assert self._runtime is not None
        await self._runtime.cancel(fid, reason)
