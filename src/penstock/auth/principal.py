"""Principals: those who ask for something."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from penstock.auth.permission import Permission


class Via(StrEnum):
    """What a principal is known by."""

    TOKEN = "token"  # noqa: S105 - a word, and no secret
    SESSION = "session"
    ANONYMOUS = "anonymous"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    id: of the user, empty for somebody who is not known. groups, roles: by name. credential:
    the id of the token or session that was shown. ceiling: what that is good for at most.
    expires: when it ends, in epoch seconds; None for never. until: when at the latest ends what
    it gives out.
    """

    id: str = ""
    name: str = ""
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    via: Via = Via.ANONYMOUS
    credential: str = ""
    ceiling: Permission = Permission.ADMIN
    expires: float | None = None
    until: float | None = None

    @property
    def known(self) -> bool:
        """Whether it is a user who asks."""
        return self.id != ""


ANONYMOUS: Final = Principal()
"""Somebody who has shown nothing."""
