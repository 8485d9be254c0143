"""`penstock login` and `penstock logout`."""

from __future__ import annotations

import asyncio
import getpass
import socket
import sys
from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.app import App, pass_app
from penstock.core.errors import HostError, SettingsError

if TYPE_CHECKING:
    from penstock.client.credentials import Credential, Credentials


def _take_host(context: click.Context, _: click.Parameter, url: str | None) -> None:
    if url:
        context.ensure_object(App).flag(host=url)


address = click.argument("url", required=False, callback=_take_host, expose_value=False)


@click.command()
@address
@click.option("--user", default="", metavar="NAME", help="Who you are there.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option("--token-stdin", is_flag=True, help="Read a token from stdin, and keep that one.")
@click.option("--expires", "expires_in", metavar="DURATION", default="30d", show_default=True,
              callback=options.as_seconds, help="After which time one has to log in again.")  # fmt: skip
@options.debug
@options.color
@pass_app
def login(app: App, *, user: str, password_stdin: bool, token_stdin: bool, expires_in: float) -> None:
    """Log in to the host at URL, and keep a token for it, so that `--host URL` knows who you are.

    Without URL, to the host that the settings name. The token is in a file that you alone can
    read; PENSTOCK_TOKEN goes before it. `penstock logout` ends it.
    """
    if token_stdin and (password_stdin or user):
        raise click.UsageError("a token says who you are: give --token-stdin alone")
    url = _host(app)
    given = sys.stdin.readline().strip() if password_stdin or token_stdin else ""
    if not (password_stdin or token_stdin) and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; give --password-stdin or --token-stdin")
    if not token_stdin and not user:
        user = click.prompt("User (nothing to give a token)", default="", show_default=False, err=True)
    if user:
        password = given or click.prompt("Password", hide_input=True, err=True)
        credential = asyncio.run(_log_in(app, user, password, expires_in))
    else:
        token = given or click.prompt("Token", hide_input=True, err=True)
        credential = asyncio.run(_check(app, token))
    _credentials().put(url, credential)
    app.console.say(f"{app.console.style('✓', 'green')} {credential.user} at {url}")


@click.command()
@address
@options.debug
@options.color
@pass_app
def logout(app: App) -> None:
    """End the token that `penstock login` has made for the host at URL, and forget it."""
    url, kept = _host(app), _credentials()
    credential = kept.find(url)
    if credential is None:
        app.console.say(f"no token is kept for {url}")
        return
    try:
        if credential.id:
            asyncio.run(_end(app, credential))
    except HostError as error:
        app.console.warn(f"the token could not be ended there: {error.message}")
    finally:
        kept.forget(url)
    app.console.say(f"the token for {url} is forgotten")


def _host(app: App) -> str:
    if not app.host:
        raise SettingsError("which host?", remedy="name it: `penstock login http://HOST:PORT`")
    from penstock.client.connection import checked_url

    return checked_url(app.host)


async def _log_in(app: App, user: str, password: str, expires_in: float) -> Credential:
    """Make a token by a session, which ends again."""
    from penstock.client.credentials import Credential

    async with app.client(token="") as client:
        await client.login(user, password)
        try:
            name = f"{getpass.getuser()} on {socket.gethostname()}"
            made = await client.add_token(name, expires_in=expires_in)
        finally:
            await client.logout()
    return Credential(token=made.secret, id=made.id, user=made.user)


async def _check(app: App, token: str) -> Credential:
    """Who the host takes this token for. Raises Unauthorized."""
    from penstock.client.credentials import Credential

    async with app.client(token=token) as client:
        session = await client.session()
    return Credential(token=token, user=session.name)


async def _end(app: App, credential: Credential) -> None:
    async with app.client(token=credential.token) as client:
        await client.remove_token(credential.id)


def _credentials() -> Credentials:
    from penstock.client.credentials import Credentials, usual_file

    return Credentials(usual_file())
