"""`penstock groups`: users who have something in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.accounts.completing import complete_group, complete_user
from penstock.cli.accounts.desk import ask
from penstock.cli.accounts.showing import show, show_one
from penstock.cli.accounts.users import roles_option
from penstock.cli.app import App, pass_app

if TYPE_CHECKING:
    from penstock.api.accounts import GroupChange

name_argument = click.argument("name", shell_complete=complete_group)
users_argument = click.argument("users", nargs=-1, required=True, shell_complete=complete_user)


@click.group()
def groups() -> None:
    """List, add and change groups, and who is in them."""


@groups.command()
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def ls(app: App, *, as_json: bool) -> None:
    """List groups."""
    found = ask(app, lambda desk: desk.groups())
    rows = [
        {
            "NAME": group.name,
            "ROLES": ", ".join(group.roles),
            "MEMBERS": ", ".join(group.members),
            "DESCRIPTION": group.description,
        }
        for group in found
    ]
    show(app.console, found, rows, as_json=as_json, nothing="no groups yet")


@groups.command()
@click.argument("name")
@click.option("--description", default="", metavar="TEXT", help="For people.")
@roles_option
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def add(app: App, name: str, *, description: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Add a group."""
    from penstock.api.accounts import NewGroup

    wanted = NewGroup(name=name, description=description, roles=list(roles))

    group = ask(app, lambda desk: desk.add_group(wanted), create=True)
    show_one(app.console, group, f"{group.name}  added", as_json=as_json)


@groups.command()
@name_argument
@click.option("--description", metavar="TEXT", help="For people.")
@roles_option
@click.option("--no-roles", is_flag=True, help="Take all roles away.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def change(
    app: App,
    name: str,
    *,
    description: str | None,
    roles: tuple[str, ...],
    no_roles: bool,
    as_json: bool,
) -> None:
    """Change a group. Roles that are given replace those there are."""
    from msgspec import UNSET

    from penstock.api.accounts import GroupChange

    wanted = GroupChange(
        description=UNSET if description is None else description,
        roles=list(roles) if roles or no_roles else UNSET,
    )
    if wanted == GroupChange():
        raise click.UsageError(
            "nothing is to be changed; `penstock groups change --help` tells what can"
        )
    _change(app, name, wanted, as_json=as_json)


@groups.command()
@name_argument
@users_argument
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def join(app: App, name: str, users: tuple[str, ...], *, as_json: bool) -> None:
    """Put users into a group."""
    from penstock.api.accounts import GroupChange

    _change(app, name, GroupChange(add=list(users)), as_json=as_json)


@groups.command()
@name_argument
@users_argument
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def leave(app: App, name: str, users: tuple[str, ...], *, as_json: bool) -> None:
    """Take users out of a group."""
    from penstock.api.accounts import GroupChange

    _change(app, name, GroupChange(remove=list(users)), as_json=as_json)


@groups.command()
@name_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.place
@options.debug
@options.color
@pass_app
def rm(app: App, name: str, *, yes: bool) -> None:
    """Remove a group with its grants. Its users stay."""
    if not yes:
        click.confirm(f"Remove the group {name} for good?", abort=True, err=True)

    ask(app, lambda desk: desk.remove_group(name))
    app.console.out(f"{name}  removed")


def _change(app: App, name: str, wanted: GroupChange, *, as_json: bool) -> None:
    group = ask(app, lambda desk: desk.change_group(name, wanted))
    members = ", ".join(group.members) or "nobody"
    show_one(app.console, group, f"{group.name}  {members}", as_json=as_json)
