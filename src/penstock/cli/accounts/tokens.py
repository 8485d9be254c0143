"""`penstock tokens`: what programs show to a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.accounts.completing import complete_token, complete_user
from penstock.cli.accounts.desk import ask
from penstock.cli.accounts.grants import PERMISSIONS
from penstock.cli.accounts.showing import show, show_one, when
from penstock.cli.app import App, pass_app

if TYPE_CHECKING:
    from penstock.cli.accounts.desk import Desk


@click.group()
def tokens() -> None:
    """List, make and end tokens and sessions.

    A program sends its token in each request: `Authorization: Bearer TOKEN`.
    """


@tokens.command()
@click.option("--user", default="", metavar="NAME", shell_complete=complete_user, help="Only theirs.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def ls(app: App, *, user: str, as_json: bool) -> None:
    """List tokens and sessions; never what proves them."""
    found = ask(app, lambda desk: desk.tokens(user))
    rows = [
        {
            "ID": token.id,
            "USER": token.user,
            "KIND": token.kind,
            "PERMISSION": token.permission,
            "CREATED": when(token.created),
            "EXPIRES": when(token.expires, never="never"),
            "NAME": token.name,
        }
        for token in found
    ]
    show(app.console, found, rows, as_json=as_json, nothing="no tokens")


@tokens.command()
@click.argument("name")
@click.option("--user", default="", metavar="NAME", shell_complete=complete_user, help="Whose it is.")
@click.option(
    "--expires",
    "expires_in",
    metavar="DURATION",
    default=None,
    callback=lambda ctx, param, text: None if text is None else options.as_seconds(ctx, param, text),
    help="After which time it ends, such as 90d; never unless this is given.",
)
@click.option(
    "--permission",
    type=click.Choice(PERMISSIONS),
    default="admin",
    show_default=True,
    help="What it is good for at most.",
)
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def add(
    app: App, name: str, *, user: str, expires_in: float | None, permission: str, as_json: bool
) -> None:
    """Make a token with a name to know it again by, and print it: nobody can do that twice.

    It may what its user may, and not more than --permission says.
    """
    from penstock.api.accounts import NewToken

    wanted = NewToken(name=name, user=user, expires_in=expires_in, permission=permission)

    token = ask(app, lambda desk: desk.add_token(wanted))
    show_one(app.console, token, token.secret, as_json=as_json)
    if not as_json:
        app.console.say(f"{token.id} of {token.user}; it is shown this once", "dim")


@tokens.command()
@click.argument("ids", metavar="ID…", nargs=-1, required=True, shell_complete=complete_token)
@options.place
@options.debug
@options.color
@pass_app
def rm(app: App, ids: tuple[str, ...]) -> None:
    """End tokens and sessions, at once."""

    async def remove(desk: Desk) -> None:
        for each in ids:
            await desk.remove_token(each)
            app.console.out(f"{each}  removed")

    ask(app, remove)
