"""Users: made, changed and removed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

from penstock.auth.ledger import check_line, checked_name, grants_of, group_ids, known_roles
from penstock.auth.records import Group, Record, TokenKind, User, dropped, kept, new_id
from penstock.core.errors import AccountError

if TYPE_CHECKING:
    from penstock.auth.ledger import Ledger
    from penstock.auth.passwords import Passwords
    from penstock.auth.picture import Picture
    from penstock.core.catalog import Write

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")


class Users:
    """The users of a store. Their names are in lower case, however they are given.

    Methods raise AccountError for what cannot be, EntryNotFound, and StoreError.
    """

    def __init__(self, ledger: Ledger, *, passwords: Passwords) -> None:
        self._ledger = ledger
        self._passwords = passwords

    async def add(
        self,
        name: str,
        *,
        password: str | None = None,
        email: str = "",
        groups: Sequence[str] = (),
        roles: Sequence[str] = (),
        identities: Sequence[str] = (),
    ) -> User:
        """A new user. password: None for one who has tokens alone, or logs in elsewhere."""
        name = checked_name(name, _NAME, "user")
        check_line(email, "email")
        hash_ = "" if password is None else await self._passwords.hash(password, name=name)

        def work(picture: Picture) -> tuple[User, list[Write]]:
            if picture.named(User, name) is not None:
                raise AccountError(
                    f"there is a user `{name}` already",
                    field="name",
                    remedy="choose another name, or change that one",
                )
            user = User(
                id=new_id(User),
                name=name,
                created=self._ledger.at(),
                email=email,
                password=hash_,
                groups=group_ids(picture, groups),
                roles=known_roles(picture, roles),
                identities=_free_identities(picture, identities),
            )
            return user, [kept(user, revision=0)]

        return await self._ledger.change(work)

    async def change(
        self,
        key: str,
        *,
        active: bool | UnsetType = UNSET,
        password: str | None | UnsetType = UNSET,
        email: str | UnsetType = UNSET,
        groups: Sequence[str] | UnsetType = UNSET,
        roles: Sequence[str] | UnsetType = UNSET,
        claimed: Sequence[str] | UnsetType = UNSET,
        identities: Sequence[str] | UnsetType = UNSET,
        keep: str = "",
    ) -> User:
        """Change a user; what is left UNSET stays as it is.

        Who is deactivated is out at once, and so is everybody with the old password: their
        sessions end, but for the one whose id is `keep`. claimed: names of groups; those that do
        not exist are left out.
        """
        hash_: str | UnsetType = UNSET
        if isinstance(email, str):
            check_line(email, "email")
        if password is not UNSET:
            name = (await self._ledger.now()).find(User, key.lower()).name
            hash_ = "" if password is None else await self._passwords.hash(password, name=name)

        def work(picture: Picture) -> tuple[User, list[Write]]:
            before = picture.find(User, key.lower())
            wanted = {
                "active": active,
                "password": hash_,
                "email": email,
                "groups": groups if groups is UNSET else group_ids(picture, groups),
                "roles": roles if roles is UNSET else known_roles(picture, roles),
                "claimed": claimed if claimed is UNSET else _claimed_ids(picture, claimed),
                "identities": identities
                if identities is UNSET
                else _free_identities(picture, identities, of=before),
            }
            given = {name: value for name, value in wanted.items() if value is not UNSET}
            after = msgspec.structs.replace(before, **given)
            if after == before:
                return before, []
            writes = [kept(after, revision=picture.revision(before))]
            if not after.active or after.password != before.password:
                writes += [
                    dropped(token)
                    for token in picture.tokens_of(before)
                    if token.kind is TokenKind.SESSION and token.id != keep
                ]
            return after, writes

        return await self._ledger.change(work)

    async def claim(self, user: User, groups: Sequence[str]) -> User:
        """Note in which groups an identity provider says that a user is.

        Groups that are not there are left out. Most logins change nothing, so those cost nothing.
        """
        if user.claimed == _claimed_ids(self._ledger.picture, groups):
            return user
        return await self.change(user.id, claimed=groups)

    async def rehash(self, user: User, password: str) -> None:
        """Make the hash of a right password anew, as its parameters are now. Sessions stay."""
        hash_ = await self._passwords.hash_again(password)

        def work(picture: Picture) -> tuple[None, list[Write]]:
            now = picture.get(User, user.id)
            if now is None or now.password != user.password:  # it was changed meanwhile
                return None, []
            after = msgspec.structs.replace(now, password=hash_)
            return None, [kept(after, revision=picture.revision(now))]

        await self._ledger.change(work)

    async def remove(self, key: str) -> User:
        """Remove a user with all that was given to them, and given out to them."""

        def work(picture: Picture) -> tuple[User, list[Write]]:
            user = picture.find(User, key.lower())
            gone: list[Record] = [*picture.tokens_of(user), *grants_of(picture, f"user:{user.id}")]
            return user, [
                msgspec.structs.replace(dropped(user), revision=picture.revision(user)),
                *map(dropped, gone),
            ]

        return await self._ledger.change(work)


def _free_identities(
    picture: Picture, identities: Sequence[str], *, of: User | None = None
) -> tuple[str, ...]:
    """Identities that nobody else has. Raises AccountError."""
    for identity in identities:
        issuer, _, subject = identity.partition(" ")
        if not (issuer and subject and identity.isprintable()):
            raise AccountError(
                f"`{identity}` is no identity",
                field="identities",
                remedy="write the issuer of the provider, a space, and the subject it has for them",
            )
        holder = picture.of_identity(identity)
        if holder is not None and (of is None or holder.id != of.id):
            raise AccountError(
                f"`{identity}` is the user `{holder.name}` already",
                field="identities",
                remedy="take it from them first",
            )
    return tuple(sorted(set(identities)))


def _claimed_ids(picture: Picture, names: Sequence[str]) -> tuple[str, ...]:
    """The ids of groups that an identity provider names, as far as they are there."""
    found = (picture.named(Group, name.lower()) for name in names)
    return tuple(sorted({group.id for group in found if group is not None}))
