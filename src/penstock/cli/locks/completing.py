"""What the shell offers for runs that ask, and for their locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from penstock.cli.app import App

if TYPE_CHECKING:
    import click

    from penstock.cli.locks.desk import Asked


def complete_locked(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The runs with open locks whose id begins like what was typed."""
    del parameter
    found = {asked.fid: asked for asked in _inbox(context)}
    return [
        CompletionItem(fid, help=f"{asked.flow}: {asked.lock.title or asked.lock.name}")
        for fid, asked in found.items()
        if fid.startswith(incomplete)
    ]


def complete_lock(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The open locks of the run that was typed before."""
    del parameter
    fid = str(context.params.get("fid") or "@")
    return [
        CompletionItem(asked.lock.lid, help=asked.lock.title or asked.lock.name)
        for asked in _inbox(context)
        if fid in ("@", asked.fid) and asked.lock.lid.startswith(incomplete)
    ]


def _inbox(context: click.Context) -> list[Asked]:
    import asyncio

    from penstock.cli.locks.desk import opened_locks
    from penstock.core.errors import PenstockError

    app = context.find_object(App) or App()

    async def look_up() -> list[Asked]:
        async with opened_locks(app, patient=False) as desk:
            return await desk.inbox()

    try:
        return asyncio.run(look_up())
    except PenstockError:
        # A shell that waits for suggestions cannot show an error: it gets none.
        return []
