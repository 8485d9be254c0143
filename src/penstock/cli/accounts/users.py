"""`penstock users`: who may log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.accounts.completing import complete_group, complete_user
from penstock.cli.accounts.desk import ask
from penstock.cli.accounts.password import password_stdin, read_password
from penstock.cli.accounts.showing import show, show_one, when
from penstock.cli.app import App, pass_app

if TYPE_CHECKING:
    from penstock.api.accounts import UserChange

name_argument = click.argument("name", shell_complete=complete_user)
roles_option = click.option(
    "--role",
    "roles",
    metavar="ROLE",
    multiple=True,
    help="A role: viewer, launcher, operator, admin, or one that grants have made; may be repeated.",
)
groups_option = click.option(
    "--group",
    "groups",
    metavar="GROUP",
    multiple=True,
    shell_complete=complete_group,
    help="A group; may be repeated.",
)
identities_option = click.option(
    "--identity",
    "identities",
    metavar="'ISSUER SUBJECT'",
    multiple=True,
    help="The account of an identity provider that is this user; may be repeated.",
)


@click.group()
def users() -> None:
    """List, add and change users.

    A user logs in with a password, shows a token, or comes from an identity provider. What they
    may do follows from their roles, their groups, and grants.
    """


@users.command()
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def ls(app: App, *, as_json: bool) -> None:
    """List users."""
    found = ask(app, lambda desk: desk.users())
    rows = [
        {
            "NAME": user.name,
            "ACTIVE": "yes" if user.active else "no",
            "ROLES": ", ".join(user.roles),
            "GROUPS": ", ".join(user.groups),
            "EMAIL": user.email,
            "CREATED": when(user.created),
        }
        for user in found
    ]
    show(app.console, found, rows, as_json=as_json, nothing="no users yet: the first start makes one")


@users.command("show")
@name_argument
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def show_(app: App, name: str, *, as_json: bool) -> None:
    """Show a user."""
    user = ask(app, lambda desk: desk.user(name))
    facts = {
        "name": user.name,
        "id": user.id,
        "active": "yes" if user.active else "no",
        "email": user.email,
        "roles": ", ".join(user.roles),
        "groups": ", ".join(user.groups),
        "password": "yes" if user.password else "no",
        "identities": ", ".join(user.identities),
        "created": when(user.created),
    }
    lines = "\n".join(f"{fact:10}  {text}".rstrip() for fact, text in facts.items())
    show_one(app.console, user, lines, as_json=as_json)


@users.command()
@click.argument("name")
@click.option("--email", default="", metavar="ADDRESS", help="For people to know who it is.")
@roles_option
@groups_option
@identities_option
@password_stdin
@click.option("--no-password", is_flag=True, help="One who has tokens alone, or logs in elsewhere.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def add(
    app: App,
    name: str,
    *,
    email: str,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    identities: tuple[str, ...],
    from_stdin: bool,
    no_password: bool,
    as_json: bool,
) -> None:
    """Add a user. The password is asked for, unless told otherwise."""
    from penstock.api.accounts import NewUser

    password = None if no_password else read_password(from_stdin=from_stdin)
    wanted = NewUser(
        name=name,
        password=password,
        email=email,
        groups=list(groups),
        roles=list(roles),
        identities=list(identities),
    )
    user = ask(app, lambda desk: desk.add_user(wanted), create=True)
    show_one(app.console, user, f"{user.name}  added", as_json=as_json)


@users.command()
@name_argument
@click.option("--email", metavar="ADDRESS", help="For people to know who it is.")
@roles_option
@click.option("--no-roles", is_flag=True, help="Take all roles away.")
@groups_option
@click.option("--no-groups", is_flag=True, help="Take them out of all groups.")
@identities_option
@click.option("--no-identities", is_flag=True, help="Let them no longer come from a provider.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def change(
    app: App,
    name: str,
    *,
    email: str | None,
    roles: tuple[str, ...],
    no_roles: bool,
    groups: tuple[str, ...],
    no_groups: bool,
    identities: tuple[str, ...],
    no_identities: bool,
    as_json: bool,
) -> None:
    """Change a user. What is given of roles, groups and identities replaces what there is."""
    from msgspec import UNSET

    from penstock.api.accounts import UserChange

    wanted = UserChange(
        email=UNSET if email is None else email,
        roles=list(roles) if roles or no_roles else UNSET,
        groups=list(groups) if groups or no_groups else UNSET,
        identities=list(identities) if identities or no_identities else UNSET,
    )
    if wanted == UserChange():
        raise click.UsageError("nothing is to be changed; `penstock users change --help` tells what can")
    _change(app, name, wanted, "changed", as_json=as_json)


@users.command()
@name_argument
@password_stdin
@click.option("--remove", is_flag=True, help="Leave them without one.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def password(app: App, name: str, *, from_stdin: bool, remove: bool, as_json: bool) -> None:
    """Set the password of a user. Their sessions end."""
    from penstock.api.accounts import UserChange

    text = None if remove else read_password(from_stdin=from_stdin, prompt="New password")
    _change(app, name, UserChange(password=text), "has a new password", as_json=as_json)


@users.command()
@name_argument
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def deactivate(app: App, name: str, *, as_json: bool) -> None:
    """Put a user out, at once: sessions end, tokens are of no use, nothing is forgotten."""
    from penstock.api.accounts import UserChange

    _change(app, name, UserChange(active=False), "is out", as_json=as_json)


@users.command()
@name_argument
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def activate(app: App, name: str, *, as_json: bool) -> None:
    """Let a user in again. Their tokens are good again."""
    from penstock.api.accounts import UserChange

    _change(app, name, UserChange(active=True), "is in", as_json=as_json)


@users.command()
@name_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.place
@options.debug
@options.color
@pass_app
def rm(app: App, name: str, *, yes: bool) -> None:
    """Remove a user with their grants and tokens. Their runs stay."""
    if not yes:
        click.confirm(f"Remove the user {name} for good?", abort=True, err=True)

    ask(app, lambda desk: desk.remove_user(name))
    app.console.out(f"{name}  removed")


def _change(app: App, name: str, wanted: UserChange, done: str, *, as_json: bool) -> None:
    user = ask(app, lambda desk: desk.change_user(name, wanted))
    show_one(app.console, user, f"{user.name}  {done}", as_json=as_json)
