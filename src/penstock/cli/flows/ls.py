"""`penstock flows ls`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.cli.flows.desk import opened_flows

if TYPE_CHECKING:
    from penstock.api import FlowView


@click.command()
@click.option("--tag", default="", metavar="TAG", help="Only flows that have it.")
@options.namespace
@options.as_json
@options.kinds
@options.place
@options.debug
@options.color
@pass_app
def ls(app: App, *, tag: str, namespace: str, as_json: bool) -> None:
    """List flows, by name."""

    async def look_up() -> list[FlowView]:
        async with opened_flows(app, namespace) as desk:
            return await desk.flows(tag=tag)

    found = asyncio.run(look_up())
    if as_json:
        import msgspec

        from penstock.cli.results import print_json

        print_json(app.console, msgspec.to_builtins(found))
    elif found:
        from penstock.cli.documents.listing import print_table

        print_table(app.console, list(map(_cells, found)), colour="STATUS")
    else:
        app.console.say("no flows")


def _cells(flow: FlowView) -> dict[str, str]:
    about = flow.reason if flow.status == "broken" else flow.description
    return {
        "NAME": flow.name,
        "STATUS": flow.status,
        "SOURCE": flow.source,
        "TAGS": ", ".join(flow.tags),
        "ABOUT": about.partition("\n")[0],
    }
