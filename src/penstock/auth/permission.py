"""Permissions, each of which includes the lower ones, and what they are on."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from penstock.core.errors import AccountError
from penstock.core.problems import suggest

ANY_FLOW: Final = "*"
"""Stands for every flow, also for those that come later."""

_LONGEST_FLOW: Final = 200


class Permission(StrEnum):
    """What somebody may do. They are ordered: each includes those before it.

    view: see that it is there, and what it says. launch: run it. operate: cancel, resume and
    retry runs, and release their locks. admin: change it, and who may do what.
    """

    VIEW = "view"
    LAUNCH = "launch"
    OPERATE = "operate"
    ADMIN = "admin"

    @property
    def level(self) -> int:
        """0 for the lowest. Permissions themselves compare as text, so compare these."""
        return _LEVELS[self]

    def includes(self, other: Permission) -> bool:
        """Whether who has this one has the other one, too."""
        return _LEVELS[self] >= _LEVELS[other]

    @classmethod
    def parse(cls, text: str) -> Permission:
        """The permission of this name. Raises AccountError."""
        try:
            return cls(text)
        except ValueError:
            raise AccountError(
                f"there is no permission `{text}`",
                field="permission",
                remedy=suggest(text, [str(one) for one in cls]),
            ) from None


_LEVELS: Final = {permission: level for level, permission in enumerate(Permission)}


def strongest(permissions: Iterable[Permission | None]) -> Permission | None:
    """The highest of some permissions; None where there is none."""
    return max(filter(None, permissions), key=lambda one: one.level, default=None)


class Scope(StrEnum):
    """The sorts of things that permissions are on.

    host: everything that a host serves. flow: a flow, and with `operate` its runs as well.
    events: the runs of a flow, whoever launched them: their events, results and files.
    """

    HOST = "host"
    FLOW = "flow"
    EVENTS = "events"


class Resource(msgspec.Struct, frozen=True):
    """What a permission is on. flow: its name, `*` for all of them, and empty for the host."""

    scope: Scope
    flow: str = ""

    def __str__(self) -> str:
        return f"{self.scope}:{self.flow}" if self.flow else str(self.scope)

    @classmethod
    def parse(cls, text: str) -> Resource:
        """A resource from `host`, `flow:NAME` or `events:NAME`. Raises AccountError."""
        scope, _, flow = text.partition(":")
        if text == Scope.HOST:
            return HOST
        if scope in (Scope.FLOW, Scope.EVENTS) and 0 < len(flow) <= _LONGEST_FLOW and flow.isprintable():
            return cls(Scope(scope), flow)
        raise AccountError(
            f"`{text}` is nothing that a permission can be on",
            field="resource",
            remedy="write `host`, `flow:NAME` or `events:NAME`; `flow:*` and `events:*` mean every flow",
        )


HOST: Final = Resource(Scope.HOST)
