"""What the catalogue keeps of the auth provider: users, groups, grants and tokens.

They refer to each other by id, so that one who comes later under the same name inherits nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from penstock.auth.permission import Permission
from penstock.core.catalog import Collection, Write

EVERYWHERE: Final = "*"
"""The namespace of what holds in all of them."""

_ID_BYTES: Final = 9
ID: Final = re.compile(rf"[a-z]-[0-9a-f]{{{2 * _ID_BYTES}}}")
"""What the ids of records look like."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be known by a password, by tokens, or by an identity provider.

    password: its Argon2 hash, empty for none. groups: ids, as somebody here put them. claimed:
    ids of the groups that the identity provider said last. identities: `ISSUER SUBJECT` of each
    provider's account that is this user. created: epoch seconds.
    """

    id: str
    name: str
    created: float
    active: bool = True
    email: str = ""
    password: str = ""
    groups: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the hash: it must not reach a log by accident."""
        return f"User({self.id!r}, name={self.name!r}, active={self.active})"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Users who have something in common, such as roles. created: epoch seconds."""

    id: str
    name: str
    created: float
    description: str = ""
    roles: tuple[str, ...] = ()


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A permission that a subject has on a resource.

    subject: `user:ID`, `group:ID`, `role:NAME`, or `anyone`. resource: as Resource writes it.
    namespace: of the hosts where it holds, `*` for all. created: epoch seconds.
    """

    id: str
    subject: str
    permission: Permission
    resource: str
    created: float
    namespace: str = EVERYWHERE

    @property
    def name(self) -> str:
        """No two grants of a namespace say of the same subject and resource different things."""
        return f"{self.subject} {self.resource}"


class TokenKind(StrEnum):
    """What a token is good for: programs show one in each request, a browser keeps one."""

    API = "api"
    SESSION = "session"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that was given out. The text that proves it is not in here.

    user: the id of whose it is. ceiling: what it is good for at most. created, expires: epoch
    seconds; expires None for never. origin: the id of the token that a session was opened with,
    and ends with; empty for none.
    """

    id: str
    name: str
    kind: TokenKind
    user: str
    created: float
    expires: float | None = None
    ceiling: Permission = Permission.ADMIN
    origin: str = ""

    def is_over(self, now: float) -> bool:
        return self.expires is not None and self.expires <= now


Record = User | Group | Grant | Token
RecordT = TypeVar("RecordT", User, Group, Grant, Token)

COLLECTIONS: Final[Mapping[type[Record], Collection]] = {
    User: Collection.USERS,
    Group: Collection.GROUPS,
    Grant: Collection.GRANTS,
    Token: Collection.TOKENS,
}
"""Where each sort of record is kept."""

TYPES: Final = {collection: record for record, collection in COLLECTIONS.items()}
_LETTERS: Final[Mapping[type[Record], str]] = {User: "u", Group: "g", Grant: "r", Token: "t"}


def new_id(record: type[Record]) -> str:
    """An id that nothing has or had; its first letter tells what it is of."""
    return f"{_LETTERS[record]}-{secrets.token_hex(_ID_BYTES)}"


def kept(record: Record, *, revision: int | None) -> Write:
    """The write that keeps a record. revision: the one that its writer saw, 0 for a new one."""
    return Write(
        collection=COLLECTIONS[type(record)],
        namespace=namespace_of(record),
        id=record.id,
        name="" if isinstance(record, Token) else record.name,
        content=msgspec.json.encode(record),
        revision=revision,
    )


def dropped(record: Record) -> Write:
    """The write that removes a record, whatever it is by now."""
    return Write(collection=COLLECTIONS[type(record)], namespace=namespace_of(record), id=record.id)


def namespace_of(record: Record) -> str:
    """Under which namespace the catalogue keeps it."""
    return record.namespace if isinstance(record, Grant) else EVERYWHERE
