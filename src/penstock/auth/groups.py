"""Groups: made, changed and removed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

from penstock.auth.ledger import check_line, checked_name, grants_of, known_roles, meant
from penstock.auth.records import Group, User, dropped, kept, new_id
from penstock.core.errors import AccountError

if TYPE_CHECKING:
    from penstock.auth.ledger import Ledger
    from penstock.auth.picture import Picture
    from penstock.core.catalog import Write

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


class Groups:
    """The groups of a store. Their names are in lower case, however they are given.

    Methods raise AccountError for what cannot be, EntryNotFound, and StoreError.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def add(self, name: str, *, description: str = "", roles: Sequence[str] = ()) -> Group:
        """A new group."""
        name = checked_name(name, _NAME, "group")
        check_line(description, "description")

        def work(picture: Picture) -> tuple[Group, list[Write]]:
            if picture.named(Group, name) is not None:
                raise AccountError(
                    f"there is a group `{name}` already",
                    field="name",
                    remedy="choose another name, or change that one",
                )
            group = Group(
                id=new_id(Group),
                name=name,
                created=self._ledger.at(),
                description=description,
                roles=known_roles(picture, roles),
            )
            return group, [kept(group, revision=0)]

        return await self._ledger.change(work)

    async def change(
        self,
        key: str,
        *,
        description: str | UnsetType = UNSET,
        roles: Sequence[str] | UnsetType = UNSET,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Group:
        """Change a group. add, remove: users, by name."""
        if isinstance(description, str):
            check_line(description, "description")

        def work(picture: Picture) -> tuple[Group, list[Write]]:
            before = picture.find(Group, key.lower())
            after = msgspec.structs.replace(
                before,
                description=before.description if description is UNSET else description,
                roles=before.roles if roles is UNSET else known_roles(picture, roles),
            )
            writes = [] if after == before else [kept(after, revision=picture.revision(before))]
            for user in [meant(picture, User, name, field="add") for name in add]:
                if before.id not in user.groups:
                    joined = msgspec.structs.replace(user, groups=(*user.groups, before.id))
                    writes.append(kept(joined, revision=picture.revision(user)))
            for user in [meant(picture, User, name, field="remove") for name in remove]:
                left = msgspec.structs.replace(
                    user,
                    groups=tuple(id_ for id_ in user.groups if id_ != before.id),
                    claimed=tuple(id_ for id_ in user.claimed if id_ != before.id),
                )
                if left != user:
                    writes.append(kept(left, revision=picture.revision(user)))
            return after, writes

        return await self._ledger.change(work)

    async def remove(self, key: str) -> Group:
        """Remove a group with all that was granted to it. Its users stay."""

        def work(picture: Picture) -> tuple[Group, list[Write]]:
            group = picture.find(Group, key.lower())
            return group, [
                msgspec.structs.replace(dropped(group), revision=picture.revision(group)),
                *map(dropped, grants_of(picture, f"group:{group.id}")),
            ]

        return await self._ledger.change(work)
