"""The conductor: who brings a run to its end while a person watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.exits import Exit
    from penstock.core.store import RunRow


class Wanted(NamedTuple):
    """A run that is to begin.

    reference: what says which flow. name: which one, where it holds several. source, pairs:
    its inputs, as `--input` and `--set` give them. ephemeral: nobody records it. executor: what
    executes it; empty for the one that its flow names. ask: inputs that are missing are asked for
    with a lock, once it has begun.
    """

    reference: str
    name: str
    source: str | None
    pairs: tuple[str, ...]
    ephemeral: bool
    executor: str = ""
    ask: bool = False


class Again(NamedTuple):
    """A run that is to be run again; see `Runtime.retry`. fid: it may be abbreviated."""

    fid: str
    from_start: bool
    node: str
    inputs: dict[str, Any]


class Shown(NamedTuple):
    """How a run is shown. quiet: its result alone. events: as lines of JSON. as_json: its outcome."""

    quiet: bool
    events: bool
    as_json: bool


class Conductor(Protocol):
    """Each method shows a run until it ends, prints its outcome, and gives the exit code.

    They raise the errors of core/errors.py, and click.UsageError.
    """

    def launch(self, wanted: Wanted, shown: Shown) -> Exit: ...

    def retry(self, again: Again, shown: Shown) -> Exit: ...

    def resume(self, fid: str | None, shown: Shown) -> Exit:
        """Go on with a run, or with the one unfinished run that no process executes."""
        ...

    def resume_all(self, *, quiet: bool) -> Exit:
        """Go on with all of these."""
        ...


def conductor(app: App) -> Conductor:
    """The conductor that the settings name: a host, or this process."""
    if app.host:
        from penstock.cli.conducting.there import There

        return There(app)
    from penstock.cli.conducting.here import Here

    return Here(app)


def refuse_ended(row: RunRow) -> None:
    """Raise click.UsageError for a run with which nobody can go on."""
    if row.state.terminal:
        raise click.UsageError(
            f"run {row.fid} is {row.state}; `penstock runs retry {row.fid}` runs it again"
        )
