"""`penstock runs`: what became of runs, and what can be done with them."""

from __future__ import annotations

from typing import Final

import click

from penstock.cli.main import LazyGroup

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "ls": ("penstock.cli.runs.ls:ls", "List runs, newest first."),
    "show": ("penstock.cli.runs.show:show", "Show a run: its nodes, its timeline, its graph."),
    "watch": ("penstock.cli.runs.watch:watch", "Follow a run until it ends."),
    "logs": ("penstock.cli.runs.watch:logs", "Print what the nodes of a run said."),
    "result": ("penstock.cli.runs.result:result", "Print the result of a run."),
    "files": ("penstock.cli.runs.files:files", "List the files of a run, or save some."),
    "cancel": ("penstock.cli.runs.cancel:cancel", "End a run, wherever it is executed."),
    "resume": ("penstock.cli.runs.resume:resume", "Go on with unfinished runs."),
    "retry": ("penstock.cli.runs.resume:retry", "Run an ended run again from what is done."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def runs() -> None:
    """List, watch, cancel, retry and resume runs.

    A FID may be abbreviated to its beginning or its end; @ is the newest run.
    """
