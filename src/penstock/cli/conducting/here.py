"""Runs that this process executes, over the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.conducting.conductor import refuse_ended
from penstock.cli.conducting.strangers import warn_of_strangers
from penstock.cli.exits import Exit
from penstock.cli.foreground import run_in_foreground
from penstock.cli.inputs import attached_files, read_inputs
from penstock.cli.lookup import find_run, orphans
from penstock.engine.attachment import attach

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.conducting.conductor import Again, Shown, Wanted
    from penstock.engine.flow import Flow
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime


class Here:
    """Executes runs in the foreground. Ctrl-C cancels a run; what was left can be resumed."""

    def __init__(self, app: App) -> None:
        self._app = app

    def launch(self, wanted: Wanted, shown: Shown) -> Exit:
        app = self._app
        if wanted.ephemeral:
            app.flag(store="memory:")
        loader = app.loader()
        if wanted.executor:
            return run_in_foreground(app, loader, self._begin_with(wanted, shown), **shown._asdict())
        flow = loader.load(wanted.reference, name=wanted.name)
        inputs = self._inputs(flow, wanted, shown)
        return run_in_foreground(
            app,
            loader,
            lambda runtime: runtime.launch(flow, inputs, open_inputs=wanted.ask),
            **shown._asdict(),
        )

    def _begin_with(self, wanted: Wanted, shown: Shown) -> Callable[[Runtime], Awaitable[Run]]:
        """Begins a run with the executor that is wanted, which may have to load the flow itself."""

        async def begin(runtime: Runtime) -> Run:
            from penstock.cli.workers import load_flows

            [flow] = await load_flows(
                runtime.loader,
                self._app.pool,
                wanted.reference,
                name=wanted.name,
                executor=wanted.executor,
            )
            inputs = self._inputs(flow, wanted, shown)
            return await runtime.launch(flow, inputs, open_inputs=wanted.ask)

        return begin

    def _inputs(self, flow: Flow, wanted: Wanted, shown: Shown) -> dict[str, Any]:
        """What the run is given. Raises InputError early, so that nothing is begun for nothing."""
        given = read_inputs(wanted.source, wanted.pairs, flow.input_schema)
        if not shown.quiet and flow.source != "python":  # which takes no others
            warn_of_strangers(self._app.console, flow.name, flow.input_schema, given)
        with_files = attached_files(given, flow.input_schema)
        if not wanted.ask:
            flow.accept(attach(with_files).inputs)
        return with_files

    def retry(self, again: Again, shown: Shown) -> Exit:
        async def begin(runtime: Runtime) -> Run:
            row = await find_run(runtime.store, again.fid)
            return await runtime.retry(
                row.fid, from_start=again.from_start, node=again.node, inputs=again.inputs
            )

        loader = self._app.loader()
        return run_in_foreground(self._app, loader, begin, create=False, **shown._asdict())

    def resume(self, fid: str | None, shown: Shown) -> Exit:
        loader = self._app.loader()
        found = asyncio.run(self._choose(fid))
        if found is None:
            if not shown.quiet:
                self._app.console.say("nothing to resume")
            return Exit.COMPLETED
        return run_in_foreground(
            self._app,
            loader,
            lambda runtime: runtime.resume(found),
            create=False,
            **shown._asdict(),
        )

    def resume_all(self, *, quiet: bool) -> Exit:
        from penstock.cli.conducting.all_of_them import resume_all

        return resume_all(self._app, self._app.loader(), quiet=quiet)

    async def _choose(self, fid: str | None) -> str | None:
        """The full id of the run to resume; None when there is none. Raises click.UsageError."""
        store = self._app.open_store(create=False)
        await store.open()
        try:
            if fid is not None:
                row = await find_run(store, fid)
                refuse_ended(row)
                return row.fid
            found = await orphans(store)
        finally:
            await store.close()
        if len(found) > 1:
            some = "\n".join(f"  {row.fid}  {row.flow} ({row.state})" for row in found[:10])
            raise click.UsageError(f"{len(found)} runs are unfinished; give a FID or --all\n{some}")
        return found[0].fid if found else None
