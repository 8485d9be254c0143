"""`penstock audit`: who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.accounts.completing import complete_user
from penstock.cli.accounts.desk import ask
from penstock.cli.accounts.showing import show
from penstock.cli.app import App, pass_app

if TYPE_CHECKING:
    from penstock.api.accounts import AuditView
    from penstock.cli.accounts.desk import Desk


@click.command()
@click.option("--who", default="", metavar="NAME", shell_complete=complete_user, help="Only theirs.")
@click.option("--action", default="", help="Only these, such as login or grant.create.")
@click.option("--subject", default="", help="Only what was done to this, such as user:ada or a FID.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many.")
@options.as_json
@options.place
@options.debug
@options.color
@pass_app
def audit(app: App, *, who: str, action: str, subject: str, limit: int, as_json: bool) -> None:
    """Show who did what, newest first: logins and those that failed, changes of users, groups,
    grants and tokens, launches, answers to locks, and whoever was turned away.
    """

    async def newest(desk: Desk) -> list[AuditView]:
        found: list[AuditView] = []
        async for entry in desk.audit(who=who, action=action, subject=subject):
            found.append(entry)
            if len(found) == limit:
                break
        return found

    found = ask(app, newest)
    rows = [
        {
            "AT": f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
            "WHO": entry.who,
            "ACTION": entry.action,
            "SUBJECT": entry.subject,
            "OUTCOME": entry.outcome,
            "ADDRESS": entry.address,
            "DETAIL": entry.detail,
        }
        for entry in found
    ]
    show(app.console, found, rows, as_json=as_json, nothing="nothing was done yet")
