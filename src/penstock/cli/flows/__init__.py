"""`penstock flows`: what can be run by name."""

from __future__ import annotations

from typing import Final

import click

from penstock.cli.main import LazyGroup

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "ls": ("penstock.cli.flows.ls:ls", "List flows, by name."),
    "show": ("penstock.cli.flows.show:show", "Show a flow: what it wants, and what it gives."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def flows() -> None:
    """List and show the flows that a host serves, or that a namespace of the store holds.

    A host serves those of its namespace, and what `penstock serve --flows` gave it besides.
    """
