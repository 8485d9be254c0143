"""`penstock grants`: who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.accounts.completing import complete_grant
from penstock.cli.accounts.desk import ask
from penstock.cli.accounts.showing import show, show_one
from penstock.cli.app import App, pass_app

if TYPE_CHECKING:
    from penstock.api.accounts import GrantView
    from penstock.cli.accounts.desk import Desk

PERMISSIONS = ("view", "launch", "operate", "admin")


@click.group()
def grants() -> None:
    """List, give and take permissions.

    \b
    SUBJECT     user:NAME, group:NAME, role:NAME (which this makes), or anyone
    PERMISSION  view, launch, operate or admin; each includes those before it
    RESOURCE    host, flow:NAME, events:NAME (the runs of a flow); flow:* and events:* are all

    Who launches a run sees it, and may operate it, without any grant.
    """  # noqa: D301 - click wants the character itself


@grants.command()
@click.option("--subject", default="", help="Only those of this subject.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def ls(app: App, *, subject: str, as_json: bool) -> None:
    """List grants."""
    every = ask(app, lambda desk: desk.grants())
    found = [grant for grant in every if subject in ("", grant.subject)]
    rows = [
        {
            "ID": grant.id,
            "SUBJECT": grant.subject,
            "PERMISSION": grant.permission,
            "RESOURCE": grant.resource,
            "NAMESPACE": grant.namespace,
        }
        for grant in found
    ]
    show(app.console, found, rows, as_json=as_json, nothing="no grants")


@grants.command()
@click.argument("subject")
@click.argument("permission", type=click.Choice(PERMISSIONS))
@click.argument("resource")
@options.namespace
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def add(
    app: App, subject: str, permission: str, resource: str, *, namespace: str, as_json: bool
) -> None:
    """Give a subject a permission, instead of the one it has on the same resource.

    It holds on the hosts of all namespaces, unless one is named.
    """
    from penstock.api.accounts import NewGrant

    wanted = NewGrant(
        subject=subject, permission=permission, resource=resource, namespace=namespace or "*"
    )

    grant = ask(app, lambda desk: desk.add_grant(wanted), create=True)
    show_one(app.console, grant, _line(grant), as_json=as_json)


@grants.command()
@click.argument("ids", metavar="ID…", nargs=-1, required=True, shell_complete=complete_grant)
@options.place
@options.debug
@options.color
@pass_app
def rm(app: App, ids: tuple[str, ...]) -> None:
    """Take grants back."""

    async def remove(desk: Desk) -> None:
        for each in ids:
            await desk.remove_grant(each)
            app.console.out(f"{each}  removed")

    ask(app, remove)


def _line(grant: GrantView) -> str:
    where = "" if grant.namespace == "*" else f" in {grant.namespace}"
    return f"{grant.id}  {grant.subject} may {grant.permission} {grant.resource}{where}"
