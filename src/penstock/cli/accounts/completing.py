"""What the shell offers for the names of accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from penstock.cli.accounts.desk import ask
from penstock.cli.app import App

if TYPE_CHECKING:
    from penstock.cli.accounts.desk import Desk

Names = Callable[["Desk"], Awaitable[list[tuple[str, str]]]]
"""Finds what can be completed, each with a word about it."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(names: Names) -> Complete:
    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del parameter
        from penstock.core.errors import PenstockError

        try:
            found = ask(context.find_object(App) or App(), names)
        except PenstockError:
            # A shell that waits for suggestions cannot show an error: it gets none.
            return []
        return [CompletionItem(name, help=note) for name, note in found if name.startswith(incomplete)]

    return complete


async def _users(desk: Desk) -> list[tuple[str, str]]:
    return [(user.name, user.email) for user in await desk.users()]


async def _groups(desk: Desk) -> list[tuple[str, str]]:
    return [(group.name, group.description) for group in await desk.groups()]


async def _tokens(desk: Desk) -> list[tuple[str, str]]:
    return [(token.id, f"{token.user} {token.name}") for token in await desk.tokens("")]


async def _grants(desk: Desk) -> list[tuple[str, str]]:
    return [
        (grant.id, f"{grant.subject} {grant.permission} {grant.resource}")
        for grant in await desk.grants()
    ]


complete_user = _completing(_users)
complete_group = _completing(_groups)
complete_token = _completing(_tokens)
complete_grant = _completing(_grants)
