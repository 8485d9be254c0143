"""`penstock doctor`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.exits import Exit
from penstock.core.errors import PenstockError

if TYPE_CHECKING:
    from penstock.core.store import Store

OPTIONAL: Final = {
    "aiohttp": "http.request",
    "cel": "CEL expressions",
    "crewai": "crews",
    "jinja2": "templates",
    "jsonschema_rs": "the check of inputs against a schema",
    "quickjs": "JavaScript snippets",
}
"""Module → what it is needed for."""

EARLIEST: Final = 1_700_000_000
"""No clock that is right shows an earlier time, in epoch seconds: late in 2023."""


FEW_BYTES: Final = 64 * 1024**2


class Finding(NamedTuple):
    """One thing that was looked at. level: `ok`, `note` or `wrong`."""

    level: str
    subject: str
    text: str
    remedy: str = ""


@click.command()
@options.store
@options.kinds
@options.as_json
@options.debug
@options.color
@pass_app
def doctor(app: App, *, as_json: bool) -> Exit:
    """Check that everything Penstock needs works. Exits with 1 when something does not."""
    findings = [finding for check in CHECKS for finding in check(app)]
    wrong = [finding for finding in findings if finding.level == "wrong"]
    if as_json:
        from penstock.cli.results import print_json

        print_json(app.console, [finding._asdict() for finding in findings])
        return Exit.FAILED if wrong else Exit.COMPLETED
    marks = {"ok": ("✓", "green"), "note": ("!", "yellow"), "wrong": ("✗", "red")}
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        symbol, style = marks[finding.level]
        mark = app.console.style(symbol, style, stream=app.console.stdout)
        app.console.out(f"{mark} {finding.subject:{width}}  {finding.text}")
        if finding.remedy:
            app.console.out(f"  {'':{width}}  {finding.remedy}")
    return Exit.FAILED if wrong else Exit.COMPLETED


def _python(app: App) -> Iterator[Finding]:
    del app
    import platform

    from penstock.version import __version__

    text = f"{platform.python_implementation()} {platform.python_version()}, Penstock {__version__}"
    if sys.version_info < (3, 11):  # noqa: UP036 - the package may be on the path without being installed
        yield Finding("wrong", "python", text, "Penstock needs Python 3.11 or newer")
    else:
        yield Finding("ok", "python", text)


def _settings(app: App) -> Iterator[Finding]:
    try:
        given = [value for value in app.settings if not value.origin.startswith("default")]
    except PenstockError as error:
        yield Finding("wrong", "settings", error.message, error.remedy)
        return
    text = ", ".join(f"{value.name} from {value.origin}" for value in given)
    yield Finding("ok", "settings", text or "all at their defaults")


def _store(app: App) -> Iterator[Finding]:
    try:
        store = app.open_store()
        yield from asyncio.run(_examine(store))
    except PenstockError as error:
        yield Finding("wrong", "store", error.message, error.remedy)


async def _examine(store: Store) -> list[Finding]:
    """Whether the store can be opened, read whole and written, and what lies in it."""
    from penstock.cli.lookup import orphans

    await store.open()
    try:
        check = getattr(store, "check", None)
        if check is not None:
            await check()
        await store.claim([])  # takes the write lock, and nothing else
        found = [Finding("ok", "store", f"{store.url}: healthy and writable"), *_space(store)]
        left = await orphans(store)
        if left:
            remedy = "`penstock runs resume --all` goes on with them"
            found.append(
                Finding("note", "runs", f"{len(left)} unfinished, executed by no process", remedy)
            )
        else:
            found.append(Finding("ok", "runs", "none is left unfinished"))
    finally:
        await store.close()
    return found


def _space(store: Store) -> Iterator[Finding]:
    import shutil

    path = getattr(store, "path", None)
    if path is None:
        return
    free = shutil.disk_usage(path.parent).free
    if free < FEW_BYTES:
        text = f"{free // 1024**2} MiB are free where the store is"
        yield Finding("wrong", "store", text, "free some space: runs stop when the disk is full")


def _kinds(app: App) -> Iterator[Finding]:
    from penstock.engine.scheme import kinds_of

    try:
        scheme = app.scheme()
    except PenstockError as error:
        yield Finding("wrong", "kinds", error.message, error.remedy)
        return
    count = len(list(kinds_of(scheme)))
    yield Finding("ok", "kinds", f"{count} kinds")
    for name, reason in scheme.broken.items():
        yield Finding(
            "wrong", "kinds", f"`{name}` does not load: {reason}", "update or uninstall its package"
        )


def _packages(app: App) -> Iterator[Finding]:
    del app
    from importlib.util import find_spec

    missing = {name: use for name, use in OPTIONAL.items() if find_spec(name) is None}
    present = [name for name in OPTIONAL if name not in missing]
    yield Finding("ok", "packages", ", ".join(present) or "none of the optional ones")
    for name, use in missing.items():
        yield Finding("note", "packages", f"{name} is not installed; it serves {use}")


def _terminal(app: App) -> Iterator[Finding]:
    console = app.console
    encoding = (console.stdout.encoding or "ascii").lower().replace("-", "")
    text = "live progress" if console.interactive else "plain lines: stderr is no terminal"
    yield Finding("ok", "terminal", f"{text}, {encoding}")
    if encoding != "utf8":
        yield Finding("note", "terminal", "symbols cannot be shown", "set PYTHONUTF8=1")


def _clock(app: App) -> Iterator[Finding]:
    del app
    now = time.time()
    text = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < EARLIEST:
        yield Finding("wrong", "clock", f"{text} lies in the past", "set the clock: timers depend on it")
    else:
        yield Finding("ok", "clock", text)


CHECKS: Final[tuple[Callable[[App], Iterator[Finding]], ...]] = (
    _python, _settings, _store, _kinds, _packages, _terminal, _clock
)  # fmt: skip
