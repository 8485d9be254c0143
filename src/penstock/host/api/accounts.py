"""Users and groups, for those who administer all hosts."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, structs

from penstock.api.accounts import (
    GroupChange,
    GroupView,
    NewGroup,
    NewUser,
    UserChange,
    UserView,
)
from penstock.api.pages import Page
from penstock.auth.audit import Act
from penstock.auth.records import Group, User
from penstock.auth.views import group_view, user_view
from penstock.host.api.call import Call
from penstock.host.api.listing import ListQuery, page_of
from penstock.host.api.operation import Operations
from penstock.host.api.session import tell

accounts = Operations("accounts")

ADMINISTER: Final = {403: "It needs the permission `admin` on every host."}
_NO_USER: Final = {**ADMINISTER, 404: "There is no such user."}
_NO_GROUP: Final = {**ADMINISTER, 404: "There is no such group."}
_LAST: Final = {422: "Nobody would be left who may administer."}


@accounts.get("/users", errors=ADMINISTER)
async def list_users(call: Call, query: ListQuery) -> Page[UserView]:
    """List users by name."""
    call.administer()
    picture = call.host.directory.picture
    users, following = page_of(picture.all(User), query)
    return Page(items=[user_view(picture, user) for user in users], next=following)


@accounts.post("/users", status=201, errors=ADMINISTER)
async def create_user(call: Call, body: NewUser) -> UserView:
    """Make a user."""
    call.administer()
    user = await call.host.auth.users.add(
        body.name,
        password=body.password,
        email=body.email,
        groups=body.groups,
        roles=body.roles,
        identities=body.identities,
    )
    await tell(call, Act.USER_CREATE, f"user:{user.name}", f"roles {', '.join(user.roles) or 'none'}")
    return user_view(call.host.directory.picture, user)


@accounts.get("/users/{name}", errors=_NO_USER)
async def show_user(call: Call, name: str) -> UserView:
    """Show a user."""
    call.administer()
    picture = call.host.directory.picture
    return user_view(picture, picture.find(User, name.lower()))


@accounts.patch("/users/{name}", errors=_NO_USER)
async def change_user(call: Call, name: str, body: UserChange) -> UserView:
    """Change a user. Who is deactivated is out at once; a new password ends all sessions."""
    call.administer()
    user = await call.host.auth.users.change(
        name,
        active=body.active,
        password=body.password,
        email=body.email,
        groups=body.groups,
        roles=body.roles,
        identities=body.identities,
        keep=call.principal.credential,
    )
    await tell(call, Act.USER_CHANGE, f"user:{user.name}", _said(body))
    return user_view(call.host.directory.picture, user)


@accounts.delete("/users/{name}", status=204, errors={**_NO_USER, **_LAST})
async def delete_user(call: Call, name: str) -> None:
    """Remove a user with their grants and tokens. Their runs stay."""
    call.administer()
    user = await call.host.auth.users.remove(name)
    await tell(call, Act.USER_DELETE, f"user:{user.name}")


@accounts.get("/groups", errors=ADMINISTER)
async def list_groups(call: Call, query: ListQuery) -> Page[GroupView]:
    """List groups by name."""
    call.administer()
    picture = call.host.directory.picture
    groups, following = page_of(picture.all(Group), query)
    return Page(items=[group_view(picture, group) for group in groups], next=following)


@accounts.post("/groups", status=201, errors=ADMINISTER)
async def create_group(call: Call, body: NewGroup) -> GroupView:
    """Make a group."""
    call.administer()
    group = await call.host.auth.groups.add(body.name, description=body.description, roles=body.roles)
    await tell(
        call, Act.GROUP_CREATE, f"group:{group.name}", f"roles {', '.join(group.roles) or 'none'}"
    )
    return group_view(call.host.directory.picture, group)


@accounts.get("/groups/{name}", errors=_NO_GROUP)
async def show_group(call: Call, name: str) -> GroupView:
    """Show a group and its members."""
    call.administer()
    picture = call.host.directory.picture
    return group_view(picture, picture.find(Group, name.lower()))


@accounts.patch("/groups/{name}", errors=_NO_GROUP)
async def change_group(call: Call, name: str, body: GroupChange) -> GroupView:
    """Change a group, or who is in it."""
    call.administer()
    group = await call.host.auth.groups.change(
        name, description=body.description, roles=body.roles, add=body.add, remove=body.remove
    )
    await tell(call, Act.GROUP_CHANGE, f"group:{group.name}", _said(body))
    return group_view(call.host.directory.picture, group)


@accounts.delete("/groups/{name}", status=204, errors={**_NO_GROUP, **_LAST})
async def delete_group(call: Call, name: str) -> None:
    """Remove a group with its grants. Its users stay."""
    call.administer()
    group = await call.host.auth.groups.remove(name)
    await tell(call, Act.GROUP_DELETE, f"group:{group.name}")


def _said(change: UserChange | GroupChange) -> str:
    """What a change says, for the audit trail: never a password."""
    found: list[str] = []
    for name, value in structs.asdict(change).items():
        if value is UNSET or value == []:
            continue
        found.append(name if name == "password" else f"{name}={value}")
    return ", ".join(found)
