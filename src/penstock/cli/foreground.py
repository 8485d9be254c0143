"""Bringing one run to its end in the foreground, from the command's start to its exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from penstock.cli.app import App
from penstock.cli.execution import Stopped, execute, report, report_stopped, tell_of_cleaning, views
from penstock.cli.exits import Exit
from penstock.cli.lookup import orphans
from penstock.cli.signals import leave, leave_at_once

if TYPE_CHECKING:
    from penstock.core.store import Store
    from penstock.engine.loading import Loader
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime


def run_in_foreground(
    app: App,
    loader: Loader,
    begin: Callable[[Runtime], Awaitable[Run]],
    *,
    quiet: bool = False,
    events: bool = False,
    as_json: bool = False,
    create: bool = True,
) -> Exit:
    """Begin a run, show it until it ends, print its outcome, and return the exit code."""
    from penstock.engine.runtime import Runtime

    async def main() -> Exit:
        store = app.open_store(create=create)
        async with Runtime(
            store,
            loader=loader,
            recover=False,
            values_of=app.values_of(store),
            executors=app.executors(),
            files=app.files(),
        ) as runtime:
            run = await begin(runtime)
            if not quiet and not events and store.durable:
                await _tell_of_orphans(app, store)
            try:
                record = await execute(app, run, views(app, quiet=quiet, events=events))
            except Stopped as stopped:
                if stopped.at_once:
                    leave_at_once(report_stopped(app, run.fid, durable=store.durable))
                record = None
                tell_of_cleaning(app)
        if record is None:
            return report_stopped(app, run.fid, durable=store.durable)
        return report(app, record, as_json=as_json, durable=store.durable)

    return leave(asyncio.run(main()))


async def _tell_of_orphans(app: App, store: Store) -> None:
    """Mention unfinished runs that no process executes."""
    count = len(await orphans(store))
    if count:
        app.console.hint(
            f"{count} unfinished run{'s' * (count > 1)}; `penstock runs resume --all` goes on"
        )
