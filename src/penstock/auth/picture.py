"""The picture: all users, groups, grants and tokens as they are now, in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from penstock.auth.permission import Permission
from penstock.auth.records import (
    COLLECTIONS,
    EVERYWHERE,
    TYPES,
    Grant,
    Group,
    Record,
    RecordT,
    Token,
    User,
)
from penstock.auth.rights import ROLES, Rights, rights_of
from penstock.core.catalog import Catalog, Collection, Entry
from penstock.core.errors import EntryNotFound
from penstock.core.problems import nearest

LOG: Final = logging.getLogger("penstock.auth")

ANYONE: Final = "anyone"
"""The subject of what holds for everybody, also for those who are not known."""

_DECODERS: Final[dict[Collection, msgspec.json.Decoder[Any]]] = {
    collection: msgspec.json.Decoder(record) for collection, record in TYPES.items()
}


class Picture:
    """Records by their sort and id. It takes entries in the order in which they were written."""

    def __init__(self) -> None:
        self._records: dict[type[Record], dict[str, Any]] = {record: {} for record in TYPES.values()}
        self._revisions: dict[tuple[Collection, str], int] = {}
        self._removed: dict[tuple[Collection, str], int] = {}
        self._ids: dict[tuple[type[Record], str], str] = {}
        self._granted: dict[str, dict[str, Grant]] = {}
        self._identities: dict[str, str] = {}
        self._tokens: dict[str, set[str]] = {}

    @classmethod
    async def of(cls, store: Catalog) -> Picture:
        """The picture of what a store holds now."""
        picture = cls()
        for collection in TYPES:
            picture.take(await store.entries(collection))
        return picture

    def take(self, entries: Iterable[Entry]) -> list[Entry]:
        """Take what was written; those that said something new. Older revisions say nothing."""
        news = []
        for entry in entries:
            sort = TYPES.get(entry.collection)
            key = (entry.collection, entry.id)
            if sort is None or self._revisions.get(key, 0) >= entry.revision:
                continue
            self._revisions[key] = entry.revision
            self._drop(sort, entry.id)
            record = _decoded(entry)
            if record is not None:
                self._put(record)
            elif entry.deleted:
                self._removed[key] = entry.position
            news.append(entry)
        return news

    def settle(self, position: int) -> None:
        """Forget the revisions of what was removed up to a place: nothing older comes any more."""
        for key in [key for key, removed in self._removed.items() if removed <= position]:
            del self._removed[key]
            del self._revisions[key]

    def all(self, sort: type[RecordT]) -> list[RecordT]:
        """Every record of a sort, by name."""
        return sorted(self._records[sort].values(), key=lambda record: (record.name, record.id))

    def get(self, sort: type[RecordT], id: str) -> RecordT | None:  # noqa: A002 - the field's word
        """The record of an id, or None."""
        return self._records[sort].get(id)

    def named(self, sort: type[RecordT], name: str) -> RecordT | None:
        """The record of a name, or None. Tokens have no name of their own."""
        return self._records[sort].get(self._ids.get((sort, name), ""))

    def find(self, sort: type[RecordT], key: str) -> RecordT:
        """The record of an id, or of a name. Raises EntryNotFound."""
        found = self.get(sort, key) or self.named(sort, key)
        if found is not None:
            return found
        noun, names = sort.__name__.lower(), [record.name for record in self.all(sort)]
        near = nearest(key, names)
        remedy = f"did you mean `{near}`?" if near else f"`penstock {noun}s ls` lists them"
        raise EntryNotFound(f"there is no {noun} `{key}`", remedy=remedy)

    def revision(self, record: Record) -> int:
        """At which revision a record is; 0 for one that is not here."""
        return self.revision_of(COLLECTIONS[type(record)], record.id)

    def revision_of(self, collection: Collection, id: str) -> int:  # noqa: A002 - the field's word
        """At which revision the record of an id is; 0 for one that is not here."""
        return self._revisions.get((collection, id), 0)

    def of_identity(self, identity: str) -> User | None:
        """The user who is this account of an identity provider."""
        return self.get(User, self._identities.get(identity, ""))

    def tokens_of(self, user: User) -> list[Token]:
        """What was given out to a user, the newest first."""
        found = [self._records[Token][id_] for id_ in self._tokens.get(user.id, ())]
        return sorted(found, key=lambda token: (-token.created, token.id))

    def groups_of(self, user: User) -> list[Group]:
        """The groups of a user, whoever put them there, by name."""
        found = {id_: self.get(Group, id_) for id_ in (*user.groups, *user.claimed)}
        return sorted(filter(None, found.values()), key=lambda group: group.name)

    def members_of(self, group: Group) -> list[User]:
        """The users of a group, by name."""
        return [user for user in self.all(User) if group.id in (*user.groups, *user.claimed)]

    def roles_of(self, user: User) -> list[str]:
        """The roles of a user, and those of their groups."""
        return sorted({*user.roles, *(role for group in self.groups_of(user) for role in group.roles)})

    def roles(self) -> list[str]:
        """Every role that there is: those that always are, and those that grants make."""
        made = (subject.removeprefix("role:") for subject in self._granted if subject[:5] == "role:")
        return [*ROLES, *sorted(set(made) - set(ROLES))]

    def rights(self, user: User | None, *, namespace: str) -> Rights:
        """What somebody may do on the hosts of a namespace; None for one who is not known."""
        roles: Sequence[str] = ()
        subjects = [ANYONE]
        if user is not None:
            roles = self.roles_of(user)
            subjects += [f"user:{user.id}", *(f"group:{group.id}" for group in self.groups_of(user))]
            subjects += [f"role:{role}" for role in roles]
        grants = (grant for subject in subjects for grant in self._granted.get(subject, {}).values())
        return rights_of(roles, grants, namespace=namespace)

    def administrators(self) -> list[User]:
        """The active users who may do everything everywhere."""
        return [
            user
            for user in self.all(User)
            if user.active and self.rights(user, namespace=EVERYWHERE).everywhere is Permission.ADMIN
        ]

    def subject(self, grant: Grant) -> str:
        """Whose grant it is, as people write it: `user:ada`, `group:staff`, `role:night`, `anyone`."""
        sort, _, id_ = grant.subject.partition(":")
        held_by = self.get(User, id_) if sort == "user" else self.get(Group, id_)
        return f"{sort}:{held_by.name}" if held_by else grant.subject

    def _put(self, record: Record) -> None:
        sort = type(record)
        self._records[sort][record.id] = record
        if isinstance(record, Token):
            self._tokens.setdefault(record.user, set()).add(record.id)
            return
        self._ids[sort, record.name] = record.id
        if isinstance(record, Grant):
            self._granted.setdefault(record.subject, {})[record.id] = record
        elif isinstance(record, User):
            self._identities.update(dict.fromkeys(record.identities, record.id))

    def _drop(self, sort: type[Record], id_: str) -> None:
        record: Record | None = self._records[sort].pop(id_, None)
        if record is None:
            return
        if isinstance(record, Token):
            self._tokens[record.user].discard(id_)
            if not self._tokens[record.user]:
                del self._tokens[record.user]
            return
        # A name that went to another record in the same write stays there.
        if self._ids.get((sort, record.name)) == id_:
            del self._ids[sort, record.name]
        if isinstance(record, Grant):
            del self._granted[record.subject][id_]
            if not self._granted[record.subject]:
                del self._granted[record.subject]
        elif isinstance(record, User):
            for identity in record.identities:
                if self._identities.get(identity) == id_:
                    del self._identities[identity]


def _decoded(entry: Entry) -> Record | None:
    """The record of an entry. One that cannot be read is not there: it gives nobody anything."""
    if entry.content is None:
        return None
    try:
        record: Record = _DECODERS[entry.collection].decode(entry.content)
    except msgspec.DecodeError as error:
        LOG.warning("the %s record %s cannot be read: %s", entry.collection, entry.id, error)
        return None
    if record.id != entry.id:
        LOG.warning("the %s record %s says that it is %s", entry.collection, entry.id, record.id)
        return None
    return record
