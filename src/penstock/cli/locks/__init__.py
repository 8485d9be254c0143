"""`penstock locks`: what runs wait for, and how one answers."""

from __future__ import annotations

from typing import Final

import click

from penstock.cli.main import LazyGroup

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "ls": ("penstock.cli.locks.ls:ls", "List open locks, or all locks of a run."),
    "show": ("penstock.cli.locks.show:show", "Show what a lock asks for, and what was submitted."),
    "release": ("penstock.cli.locks.release:release", "Submit a candidate, and tell what came of it."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def locks() -> None:
    """See what runs wait for, and answer.

    What you submit is a candidate: the flow releases the lock with it, or denies it with its
    reasons and goes on waiting. A FID may be abbreviated to its beginning or its end; @ is the
    newest run. A lock goes by its id, the beginning of it, or its name.
    """
