"""The ledger: how accounts are changed, all or nothing, whoever else changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from penstock.auth.picture import Picture
from penstock.auth.records import ID, Grant, Group, RecordT
from penstock.core.catalog import Entry
from penstock.core.errors import AccountError, EntryNotFound, StoreConflict
from penstock.core.problems import suggest

if TYPE_CHECKING:
    import re

    from penstock.auth.directory import Directory
    from penstock.core.catalog import Catalog, Write
    from penstock.core.clock import Clock

Found = TypeVar("Found")

ATTEMPTS: Final = 5
"""How often a change is worked out anew because somebody else wrote meanwhile."""

_LONGEST: Final = 500


class Ledger:
    """Changes accounts of a store. What was changed holds in this process when it returns."""

    def __init__(self, store: Catalog, *, directory: Directory, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock

    def at(self) -> float:
        """The time, in epoch seconds."""
        return self._clock.now()

    @property
    def picture(self) -> Picture:
        """What this process knows, which may be a few milliseconds old."""
        return self._directory.picture

    async def now(self) -> Picture:
        """What the store holds now. Raises StoreError."""
        return await Picture.of(self._store)

    async def change(self, work: Callable[[Picture], tuple[Found, list[Write]]]) -> Found:
        """Work a change out and write it; again where somebody else was quicker.

        work: from what there is to what is to be written, and to what the caller wants of it.
        Raises what it raises, AccountError when nobody could administer the store any more, and
        StoreError.
        """
        for attempt in range(1, ATTEMPTS + 1):
            picture = await self.now()
            found, writes = work(picture)
            if not writes:
                return found
            self._refuse_lockout(picture, writes)
            try:
                self._directory.take(await self._store.write(writes, at=self._clock.now()))
            except StoreConflict:
                if attempt == ATTEMPTS:
                    raise
            else:
                break
        return found

    def _refuse_lockout(self, picture: Picture, writes: Iterable[Write]) -> None:
        """Refuse what takes the last administrator away. The picture is used up for it."""
        if not picture.administrators():
            return
        picture.take(
            Entry(
                collection=write.collection,
                namespace=write.namespace,
                id=write.id,
                name=write.name,
                revision=picture.revision_of(write.collection, write.id) + 1,
                position=0,
                at=0.0,
                content=write.content,
            )
            for write in writes
        )
        if not picture.administrators():
            raise AccountError(
                "nobody would be left who may administer",
                field="roles",
                remedy="give somebody else the role `admin` first",
            )


def checked_name(name: str, pattern: re.Pattern[str], what: str) -> str:
    """The name of a user or a group as it is kept. Raises AccountError."""
    name = name.strip().lower()
    if not pattern.fullmatch(name) or ID.fullmatch(name):  # nobody is to be taken for somebody else
        raise AccountError(
            f"`{name}` is no name for a {what}",
            field="name",
            remedy="a name has letters, digits and some of `._-`, a user's also `@` and `+`, and begins "
            "with a letter or a digit",
        )
    return name


def check_line(text: str, field: str) -> None:
    """Refuse what is not one line of text. Raises AccountError."""
    if len(text) > _LONGEST or not text.isprintable():
        raise AccountError(
            f"the {field} is not one line of text",
            field=field,
            remedy=f"use up to {_LONGEST} characters, without line breaks",
        )


def known_roles(picture: Picture, names: Sequence[str]) -> tuple[str, ...]:
    """Roles that are there. Raises AccountError for one that is not."""
    there = picture.roles()
    for name in names:
        if name not in there:
            raise AccountError(
                f"there is no role `{name}`",
                field="roles",
                remedy=f"{suggest(name, there)}; `penstock grants add role:NAME …` makes one",
            )
    return tuple(sorted(set(names)))


def group_ids(picture: Picture, names: Sequence[str]) -> tuple[str, ...]:
    """The ids of groups. Raises AccountError for one that is not there."""
    return tuple(sorted({meant(picture, Group, name, field="groups").id for name in names}))


def meant(picture: Picture, sort: type[RecordT], name: str, *, field: str) -> RecordT:
    """The user or group that a field means. Raises AccountError where there is none."""
    try:
        return picture.find(sort, name.lower())
    except EntryNotFound as error:
        raise AccountError(error.message, field=field, remedy=error.remedy) from None


def grants_of(picture: Picture, subject: str) -> list[Grant]:
    """What was given to a subject."""
    return [grant for grant in picture.all(Grant) if grant.subject == subject]
