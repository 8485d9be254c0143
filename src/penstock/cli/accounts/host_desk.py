"""Accounts on a host, which allows what one's own permissions do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

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
    from penstock.client import AsyncClient


class HostDesk:
    """The accounts that a host shows to whoever asks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def users(self) -> list[UserView]:
        return await self._client.users()

    async def user(self, name: str) -> UserView:
        return await self._client.user(name)

    async def add_user(self, wanted: NewUser) -> UserView:
        return await self._client.add_user(wanted)

    async def change_user(self, name: str, change: UserChange) -> UserView:
        return await self._client.change_user(name, change)

    async def remove_user(self, name: str) -> None:
        await self._client.remove_user(name)

    async def groups(self) -> list[GroupView]:
        return await self._client.groups()

    async def group(self, name: str) -> GroupView:
        return await self._client.group(name)

    async def add_group(self, wanted: NewGroup) -> GroupView:
        return await self._client.add_group(wanted)

    async def change_group(self, name: str, change: GroupChange) -> GroupView:
        return await self._client.change_group(name, change)

    async def remove_group(self, name: str) -> None:
        await self._client.remove_group(name)

    async def grants(self) -> list[GrantView]:
        return await self._client.grants()

    async def add_grant(self, wanted: NewGrant) -> GrantView:
        return await self._client.grant(wanted)

    async def remove_grant(self, id: str) -> None:  # noqa: A002 - the field's word
        await self._client.remove_grant(id)

    async def tokens(self, user: str) -> list[TokenView]:
        return await self._client.tokens(user)

    async def add_token(self, wanted: NewToken) -> TokenView:
        return await self._client.add_token(
            wanted.name,
            expires_in=wanted.expires_in,
            permission=wanted.permission,
            user=wanted.user,
        )

    async def remove_token(self, id: str) -> None:  # noqa: A002 - the field's word
        await self._client.remove_token(id)

    async def audit(self, *, who: str, action: str, subject: str) -> AsyncIterator[AuditView]:
        async for entry in self._client.audit(who=who, action=action, subject=subject):
            yield entry
