"""`penstock keys`: what values are sealed with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.core.errors import SettingsError

if TYPE_CHECKING:
    from penstock.store.keys import KeyFile
    from penstock.store.vault import Resealing


@click.group()
def keys() -> None:
    """List, rotate and prune the keys that values are sealed with.

    They are in a file of yours (setting `key_file`), or in the variable PENSTOCK_KEY: one or
    several, the newest first.
    """


@keys.command()
@options.as_json
@options.debug
@options.color
@pass_app
def ls(app: App, *, as_json: bool) -> None:
    """List the keys by their fingerprints, the newest first; never the keys themselves."""
    source = app.keys()
    found = [key.fingerprint for key in source.known()]
    if as_json:
        from penstock.cli.results import print_json

        print_json(app.console, {"origin": source.origin, "keys": found})
        return
    for number, fingerprint in enumerate(found):
        note = "seals" if number == 0 else "opens only"
        app.console.out(f"{fingerprint}  {app.console.style(note, 'dim', stream=app.console.stdout)}")
    app.console.say(f"{source.origin}" if found else f"no keys yet in {source.origin}", "dim")


@keys.command()
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def rotate(app: App, *, as_json: bool) -> None:
    """Make a new key, and seal every value of the store with it.

    The old keys stay in the file until `penstock keys prune`: whatever interrupts this, all
    values can be opened, and it can be called again. Keys from PENSTOCK_KEY are not changed:
    put a new one first there, and all values are sealed with that.
    """
    from penstock.store.keys import KeyFile

    source = app.keys()
    if isinstance(source, KeyFile):
        source.add()
    _report(app, asyncio.run(_reseal(app)), removed=[], as_json=as_json)


@keys.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.as_json
@options.store
@options.debug
@options.color
@pass_app
def prune(app: App, *, yes: bool, as_json: bool) -> None:
    """Remove all keys but the newest, when no value of the store needs them any more.

    Other stores that are sealed with the same keys must be rotated before, each with --store.
    Tokens and sessions of hosts that were signed with the removed keys end.
    """
    source = _file(app)
    old = source.known()[1:]
    if old and not yes:
        question = (
            f"Remove {len(old)} keys from {source.origin}? Nothing can be opened with them then, "
            "and tokens that were signed with them end"
        )
        click.confirm(question, abort=True, err=True)
    done = asyncio.run(_reseal(app))
    removed = [key.fingerprint for key in source.remove_behind(done.newest)]
    _report(app, done, removed=removed, as_json=as_json)


def _file(app: App) -> KeyFile:
    from penstock.store.keys import KeyFile

    source = app.keys()
    if not isinstance(source, KeyFile):
        raise SettingsError(
            f"the keys come from {source.origin}, which cannot be changed here",
            remedy="remove the old ones there; `penstock keys rotate` makes them superfluous",
        )
    return source


async def _reseal(app: App) -> Resealing:
    from penstock.cli.documents.opening import opened
    from penstock.store.vault import Resealing

    async with opened(app) as shelves:
        pass_ = Resealing(shelves.vault)
        await pass_.run(shelves.store)
    return pass_


def _report(app: App, done: Resealing, *, removed: list[str], as_json: bool) -> None:
    if as_json:
        from penstock.cli.results import print_json

        found = {"key": done.newest, "resealed": done.renewed, "lost": done.lost, "removed": removed}
        print_json(app.console, found)
        return
    app.console.out(f"{done.newest}  {done.renewed} sealed anew")
    for fingerprint in removed:
        app.console.out(f"{fingerprint}  removed")
    for fingerprint, count in done.lost.items():
        app.console.warn(
            f"{count} cannot be opened: their key {fingerprint} is not here; they stay as they are"
        )
