"""Who may do what, on the wire."""

from __future__ import annotations

import msgspec

from penstock.api.times import Moment


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Opens a session."""

    name: str
    password: str

    def __repr__(self) -> str:
        """Without the password: it must not reach a log by accident."""
        return f"Login({self.name!r})"


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. via: `token`, `session` or `anonymous`. csrf_token: of a session, for unsafe methods.

    groups, roles: by name. expires: when the credential ends, None for never.
    """

    id: str = ""
    name: str = ""
    groups: list[str] = []
    roles: list[str] = []
    via: str = "anonymous"
    expires: Moment | None = None
    csrf_token: str = ""


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes a token of one's own. expires_in: seconds from now, None for never."""

    name: str
    expires_in: float | None = None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token. secret: what is sent to authenticate; in the answer that makes it, and never again."""

    id: str
    name: str
    user: str = ""
    created: Moment | None = None
    expires: Moment | None = None
    secret: str = ""

    def __repr__(self) -> str:
        """Without the secret: it must not reach a log by accident."""
        return f"TokenView({self.id!r}, name={self.name!r})"


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes a user. password: None for one who has tokens alone, or logs in elsewhere."""

    name: str
    password: str | None = None
    email: str = ""
    groups: list[str] = []
    roles: list[str] = []

    def __repr__(self) -> str:
        """Without the password: it must not reach a log by accident."""
        return f"NewUser({self.name!r})"


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes a user; a field that is left out stays as it is. One who is not active is out."""

    password: str | None | msgspec.UnsetType = msgspec.UNSET
    email: str | msgspec.UnsetType = msgspec.UNSET
    groups: list[str] | msgspec.UnsetType = msgspec.UNSET
    roles: list[str] | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        """Without the password: it must not reach a log by accident."""
        return "UserChange(…)"


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    email: str = ""
    active: bool = True
    groups: list[str] = []
    roles: list[str] = []
    created: Moment | None = None


class NewGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    roles: list[str] = []


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group. members: the names of its users."""

    id: str
    name: str
    roles: list[str] = []
    members: list[str] = []


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gives a user or a group a permission: `view`, `launch`, `operate` or `admin`.

    subject: `user:NAME`, `group:NAME`. resource: `host`, `flow:NAME`, `flow:*`, `events:NAME`
    or `events:*`.
    """

    subject: str
    permission: str
    resource: str


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    subject: str
    permission: str
    resource: str
    created: Moment | None = None


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit trail: who did what to what, from where, and how it went."""

    at: Moment
    who: str
    action: str
    subject: str = ""
    outcome: str = ""
    address: str = ""
    detail: str = ""
