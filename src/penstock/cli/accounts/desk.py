"""The desk: where accounts are looked at and changed, for one command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from penstock.api.accounts import (
        AuditView,
        GrantView,
        GroupChange,
        GroupView,
        NewGrant,
        NewGroup,
        NewToken,
        NewUser,
        TokenView,
        UserChange,
        UserView,
    )
    from penstock.cli.app import App


Found = TypeVar("Found")


class Desk(Protocol):
    """What can be asked about accounts, wherever they are kept.

    Methods raise AccountError, EntryNotFound, and the errors of what they are kept in.
    """

    async def users(self) -> list[UserView]: ...

    async def user(self, name: str) -> UserView: ...

    async def add_user(self, wanted: NewUser) -> UserView: ...

    async def change_user(self, name: str, change: UserChange) -> UserView: ...

    async def remove_user(self, name: str) -> None: ...

    async def groups(self) -> list[GroupView]: ...

    async def group(self, name: str) -> GroupView: ...

    async def add_group(self, wanted: NewGroup) -> GroupView: ...

    async def change_group(self, name: str, change: GroupChange) -> GroupView: ...

    async def remove_group(self, name: str) -> None: ...

    async def grants(self) -> list[GrantView]: ...

    async def add_grant(self, wanted: NewGrant) -> GrantView: ...

    async def remove_grant(self, id: str) -> None: ...  # noqa: A002 - the field's word

    async def tokens(self, user: str) -> list[TokenView]:
        """Those of a user; with an empty name, all there are to see."""
        ...

    async def add_token(self, wanted: NewToken) -> TokenView: ...

    async def remove_token(self, id: str) -> None: ...  # noqa: A002 - the field's word

    def audit(self, *, who: str, action: str, subject: str) -> AsyncIterator[AuditView]:
        """The audit trail, newest first: what fits all that is not empty."""
        ...


@asynccontextmanager
async def opened_desk(app: App, *, create: bool = False) -> AsyncIterator[Desk]:
    """The desk that the settings name: that of a host, or that of the store.

    create: make a store that is not there yet.
    """
    if app.host:
        from penstock.cli.accounts.host_desk import HostDesk

        async with app.client() as client:
            yield HostDesk(client)
        return
    from penstock.auth import Auth
    from penstock.cli.accounts.store_desk import StoreDesk
    from penstock.engine.clock import SystemClock

    store = app.open_store(create=create)
    await store.open()
    try:
        auth = Auth(store, secrets=app.keys(), clock=SystemClock())
        await auth.open()
        yield StoreDesk(auth)
    finally:
        await store.close()


def ask(app: App, question: Callable[[Desk], Awaitable[Found]], *, create: bool = False) -> Found:
    """What the desk of the settings answers.

    create: make a store that is not there yet.
    """

    async def answer() -> Found:
        async with opened_desk(app, create=create) as desk:
            return await question(desk)

    return asyncio.run(answer())
