"""The desk: where runs are looked at, for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.api.files import FileView
    from penstock.cli.app import App
    from penstock.core.events import Event
    from penstock.core.spec import FlowSpec
    from penstock.core.store import RunQuery, RunRow


class RunDesk(Protocol):
    """What can be asked about runs, wherever they are kept.

    Methods raise the errors of core/errors.py, those about the store or the host among them.
    """

    async def run(self, fid: str) -> RunRow | None:
        """A run at a glance; None when there is none of this id, or one may not see it."""
        ...

    async def runs(self, query: RunQuery, /) -> list[RunRow]: ...

    async def events(self, fid: str) -> list[Event]:
        """Those that are there."""
        ...

    def follow(self, fid: str) -> AsyncIterator[Event]:
        """Every event, those to come among them, until the terminal one."""
        ...

    async def executed(self, row: RunRow) -> bool:
        """Whether some process executes it at this moment, or will by itself."""
        ...

    async def graph(self, row: RunRow) -> FlowSpec | None:
        """What it was made of, with its nodes and links; None for a flow that is no graph."""
        ...

    async def files(self, fid: str) -> list[FileView]:
        """What it was given, and what it offers, by name."""
        ...

    async def download(self, fid: str, name: str, to: Path) -> Path:
        """Write one of its files to a path, or into a folder; where it is then.

        Raises EntryNotFound when there is no such file, and OSError when it cannot be written.
        """
        ...

    async def cancel(self, fid: str, reason: str) -> None:
        """End a run, and return when it has ended. Only at a desk that is opened for acting."""
        ...


@asynccontextmanager
async def opened_runs(app: App, *, acting: bool = False, patient: bool = True) -> AsyncIterator[RunDesk]:
    """The desk that the settings name: that of a host, or that of the store.

    acting: runs are to be changed, for which a store needs a runtime. patient: wait a
    little for a host that does not answer.
    """
    if app.host:
        from penstock.cli.runs.host_desk import HostRuns

        async with app.client(patient=patient) as client:
            yield HostRuns(client)
        return
    from penstock.cli.runs.store_desk import StoreRuns

    store = app.open_store(create=False)
    if acting:
        from penstock.engine.runtime import Runtime

        async with Runtime(
            store,
            loader=app.loader(),
            recover=False,
            executors=app.executors(),
            files=app.files(),
        ) as runtime:
            yield StoreRuns(store, runtime, files=app.files())
        return
    await store.open()
    try:
        yield StoreRuns(store, files=app.files())
    finally:
        await store.close()
