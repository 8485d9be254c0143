"""Runs that a host executes, and this process only follows."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.conducting.conductor import refuse_ended
from penstock.cli.conducting.strangers import warn_of_strangers
from penstock.cli.execution import follow, report, views
from penstock.cli.exits import Exit
from penstock.cli.inputs import attached_files, read_inputs
from penstock.cli.lookup import find_run
from penstock.cli.runs.host_desk import HostRuns
from penstock.cli.signals import LEAVE, signals
from penstock.core.errors import EntryNotFound, HostError
from penstock.core.record import RunRecord
from penstock.engine.attachment import Attachment
from penstock.engine.flow import check_inputs

if TYPE_CHECKING:
    from penstock.api import FlowView
    from penstock.cli.app import App
    from penstock.cli.conducting.conductor import Again, Shown, Wanted
    from penstock.client import AsyncClient, AsyncRemoteRun

Begin = Callable[["AsyncClient"], Awaitable["AsyncRemoteRun"]]


class There:
    """Begins runs on a host, and follows them. Ctrl-C leaves a run, which goes on."""

    def __init__(self, app: App) -> None:
        self._app = app

    def launch(self, wanted: Wanted, shown: Shown) -> Exit:
        if wanted.ephemeral:
            raise click.UsageError("a host records its runs; --ephemeral works without --host")
        if wanted.executor:
            raise click.UsageError("a host's flows say where it executes them; leave --executor out")

        async def begin(client: AsyncClient) -> AsyncRemoteRun:
            name = wanted.name or wanted.reference
            flow = await _flow(client, name)
            schema = flow.input_schema
            given = read_inputs(wanted.source, wanted.pairs, schema)
            if not shown.quiet and flow.source != "python":  # which takes no others
                warn_of_strangers(self._app.console, name, schema, given)
            if not wanted.ask:
                check_inputs(name, schema, given)  # or the run would wait for somebody to give the rest
            inputs, files = _apart(attached_files(given, schema))
            try:
                return await client.launch(name, inputs, files=files)
            except OSError as error:
                raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from error

        return asyncio.run(self._conduct(begin, shown))

    def retry(self, again: Again, shown: Shown) -> Exit:
        async def begin(client: AsyncClient) -> AsyncRemoteRun:
            row = await find_run(HostRuns(client), again.fid)
            return await client.run(row.fid).retry(
                from_start=again.from_start, node=again.node, inputs=again.inputs
            )

        return asyncio.run(self._conduct(begin, shown))

    def resume(self, fid: str | None, shown: Shown) -> Exit:
        if fid is None:
            return self.resume_all(quiet=shown.quiet)

        async def begin(client: AsyncClient) -> AsyncRemoteRun:
            row = await find_run(HostRuns(client), fid)
            refuse_ended(row)
            run = client.run(row.fid)
            await run.resume()
            return run

        return asyncio.run(self._conduct(begin, shown))

    def resume_all(self, *, quiet: bool) -> Exit:
        if not quiet:
            self._app.console.say("nothing to resume: a host goes on with its runs by itself")
        return Exit.COMPLETED

    async def _conduct(self, begin: Begin, shown: Shown) -> Exit:
        app = self._app
        async with app.client() as client:
            run = await begin(client)
            try:
                record = await self._follow(run, shown)
            except HostError:
                self._tell_how_to_go_on(run.fid)
                raise
        if record is None:
            app.console.say("left; the run goes on", "yellow")
            self._tell_how_to_go_on(run.fid)
            return Exit.CANCELLED
        return report(app, record, as_json=shown.as_json)

    async def _follow(self, run: AsyncRemoteRun, shown: Shown) -> RunRecord | None:
        """The run when it has ended; None when a signal came first."""
        record = RunRecord(fid=run.fid)
        shows = views(self._app, quiet=shown.quiet, events=shown.events)
        following = asyncio.create_task(follow(run.events(), record, shows), name="penstock:follow")
        leaving = asyncio.get_running_loop().create_future()

        def leave() -> None:
            if not leaving.done():
                leaving.set_result(None)

        with signals(dict.fromkeys((signal.SIGINT, *LEAVE), leave), stuck=lambda: None):
            await asyncio.wait((following, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            return None
        await following
        return record

    def _tell_how_to_go_on(self, fid: str) -> None:
        where = f" --host {self._app.host}"
        self._app.console.hint(
            f"`penstock runs watch {fid}{where}` follows it, `penstock runs cancel {fid}{where}` ends it"
        )


async def _flow(client: AsyncClient, name: str) -> FlowView:
    try:
        return await client.flow(name)
    except EntryNotFound as error:
        if any(mark in name for mark in "./:\\"):
            error.remedy = (
                "a host runs the flows that it serves, by name: `penstock flows ls` lists them; "
                "--store runs a file here"
            )
        raise


def _apart(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[Path] | Path]]:
    """The inputs that are values, and those that are files of this machine."""
    files: dict[str, list[Path] | Path] = {}
    for name, value in given.items():
        if isinstance(value, Attachment):
            files[name] = value.path
        elif isinstance(value, list) and any(isinstance(item, Attachment) for item in value):
            files[name] = [item.path for item in value if isinstance(item, Attachment)]
    return {name: value for name, value in given.items() if name not in files}, files
