"""Accounts in the store itself: who can write to it may do everything."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec

from penstock.auth.audit import Act
from penstock.auth.permission import Permission, Resource
from penstock.auth.records import Grant, Group, Token, User
from penstock.auth.views import audit_view, grant_view, group_view, token_view, user_view
from penstock.core.audit import AuditQuery
from penstock.core.errors import AccountError, EntryNotFound

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
    from penstock.auth import Auth
    from penstock.auth.picture import Picture


_PAGE: Final = 200


class StoreDesk:
    """The accounts of a store that is open. What is done is in the audit trail, by the system's user."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    @property
    def _picture(self) -> Picture:
        return self._auth.directory.picture

    async def users(self) -> list[UserView]:
        return [user_view(self._picture, user) for user in self._picture.all(User)]

    async def user(self, name: str) -> UserView:
        return user_view(self._picture, self._picture.find(User, name.lower()))

    async def add_user(self, wanted: NewUser) -> UserView:
        user = await self._auth.users.add(
            wanted.name,
            password=wanted.password,
            email=wanted.email,
            groups=wanted.groups,
            roles=wanted.roles,
            identities=wanted.identities,
        )
        await self._tell(Act.USER_CREATE, f"user:{user.name}")
        return user_view(self._picture, user)

    async def change_user(self, name: str, change: UserChange) -> UserView:
        user = await self._auth.users.change(
            name,
            active=change.active,
            password=change.password,
            email=change.email,
            groups=change.groups,
            roles=change.roles,
            identities=change.identities,
        )
        await self._tell(Act.USER_CHANGE, f"user:{user.name}")
        return user_view(self._picture, user)

    async def remove_user(self, name: str) -> None:
        user = await self._auth.users.remove(name)
        await self._tell(Act.USER_DELETE, f"user:{user.name}")

    async def groups(self) -> list[GroupView]:
        return [group_view(self._picture, group) for group in self._picture.all(Group)]

    async def group(self, name: str) -> GroupView:
        return group_view(self._picture, self._picture.find(Group, name.lower()))

    async def add_group(self, wanted: NewGroup) -> GroupView:
        group = await self._auth.groups.add(
            wanted.name, description=wanted.description, roles=wanted.roles
        )
        await self._tell(Act.GROUP_CREATE, f"group:{group.name}")
        return group_view(self._picture, group)

    async def change_group(self, name: str, change: GroupChange) -> GroupView:
        group = await self._auth.groups.change(
            name,
            description=change.description,
            roles=change.roles,
            add=change.add,
            remove=change.remove,
        )
        await self._tell(Act.GROUP_CHANGE, f"group:{group.name}")
        return group_view(self._picture, group)

    async def remove_group(self, name: str) -> None:
        group = await self._auth.groups.remove(name)
        await self._tell(Act.GROUP_DELETE, f"group:{group.name}")

    async def grants(self) -> list[GrantView]:
        views = [grant_view(self._picture, grant) for grant in self._picture.all(Grant)]
        return sorted(views, key=lambda view: (view.subject, view.resource, view.namespace))

    async def add_grant(self, wanted: NewGrant) -> GrantView:
        grant = await self._auth.grants.grant(
            wanted.subject,
            Permission.parse(wanted.permission),
            Resource.parse(wanted.resource),
            namespace=wanted.namespace,
        )
        view = grant_view(self._picture, grant)
        await self._tell(Act.GRANT_CREATE, view.subject, f"{view.permission} on {view.resource}")
        return view

    async def remove_grant(self, id: str) -> None:  # noqa: A002 - the field's word
        grant = self._picture.get(Grant, id)
        subject = "" if grant is None else self._picture.subject(grant)
        grant = await self._auth.grants.withdraw(id)
        await self._tell(Act.GRANT_DELETE, subject, f"{grant.permission} on {grant.resource}")

    async def tokens(self, user: str) -> list[TokenView]:
        picture = self._picture
        users = [picture.find(User, user.lower())] if user else picture.all(User)
        return [token_view(picture, token) for each in users for token in picture.tokens_of(each)]

    async def add_token(self, wanted: NewToken) -> TokenView:
        if not wanted.user:
            raise AccountError("whose token is it to be?", field="user", remedy="name them with --user")
        user = self._picture.find(User, wanted.user.lower())
        issued = await self._auth.tokens.issue(
            user,
            name=wanted.name,
            expires_in=wanted.expires_in,
            ceiling=Permission.parse(wanted.permission),
        )
        await self._tell(Act.TOKEN_CREATE, f"user:{user.name}", f"token {issued.token.id}")
        return token_view(self._picture, issued.token, secret=issued.text)

    async def remove_token(self, id: str) -> None:  # noqa: A002 - the field's word
        token = self._picture.get(Token, id)
        if token is None:
            raise EntryNotFound(f"there is no token `{id}`", remedy="`penstock tokens ls` lists them")
        view = token_view(self._picture, token)
        await self._auth.tokens.revoke([token])
        await self._tell(Act.TOKEN_DELETE, f"user:{view.user}", f"token {token.id}")

    async def audit(self, *, who: str, action: str, subject: str) -> AsyncIterator[AuditView]:
        wanted = AuditQuery(who=who, action=action, subject=subject, limit=_PAGE)
        while page := await self._auth.store.audits(wanted):
            for entry in page:
                yield audit_view(entry)
            wanted = msgspec.structs.replace(wanted, before=page[-1].number)

    async def _tell(self, act: Act, subject: str, detail: str = "") -> None:
        who = f"{getpass.getuser()} on the command line"
        await self._auth.trail.record(act, who=who, subject=subject, detail=detail)
