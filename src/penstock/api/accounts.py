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


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes one's own password. The other sessions end."""

    old: str
    new: str

    def __repr__(self) -> str:
        """Without the passwords: they must not reach a log by accident."""
        return "NewPassword(…)"


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes a token.

    expires_in: seconds from now, None for never. permission: what it is good for at most. user:
    by name, whose it is; empty for one's own, and others' for administrators alone.
    """

    name: str
    expires_in: float | None = None
    permission: str = "admin"
    user: str = ""


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, or a session.

    kind: `api` or `session`. user: by name, whose it is. permission: what it is good for at most.
    secret: what is sent to authenticate; in the answer that makes it, and never again.
    """

    id: str
    name: str
    kind: str = "api"
    user: str = ""
    permission: str = "admin"
    created: Moment | None = None
    expires: Moment | None = None
    secret: str = ""

    def __repr__(self) -> str:
        """Without the secret: it must not reach a log by accident."""
        return f"TokenView({self.id!r}, name={self.name!r})"


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes a user. password: None for one who has tokens alone, or logs in elsewhere.

    identities: the accounts of identity providers that are this user, as `ISSUER SUBJECT`.
    """

    name: str
    password: str | None = None
    email: str = ""
    groups: list[str] = []
    roles: list[str] = []
    identities: list[str] = []

    def __repr__(self) -> str:
        """Without the password: it must not reach a log by accident."""
        return f"NewUser({self.name!r})"


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes a user; a field that is left out stays as it is. One who is not active is out."""

    password: str | None | msgspec.UnsetType = msgspec.UNSET
    email: str | msgspec.UnsetType = msgspec.UNSET
    groups: list[str] | msgspec.UnsetType = msgspec.UNSET
    roles: list[str] | msgspec.UnsetType = msgspec.UNSET
    identities: list[str] | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        """Without the password: it must not reach a log by accident."""
        return "UserChange(…)"


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user. groups: by name, whoever put them there. roles: their own. password: whether one is set.

    identities: the accounts of identity providers that are this user, as `ISSUER SUBJECT`.
    """

    id: str
    name: str
    email: str = ""
    active: bool = True
    groups: list[str] = []
    roles: list[str] = []
    password: bool = False
    identities: list[str] = []
    created: Moment | None = None


class NewGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    description: str = ""
    roles: list[str] = []


class GroupChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes a group; a field that is left out stays as it is. add, remove: users, by name."""

    description: str | msgspec.UnsetType = msgspec.UNSET
    roles: list[str] | msgspec.UnsetType = msgspec.UNSET
    add: list[str] = []
    remove: list[str] = []


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group. members: the names of its users."""

    id: str
    name: str
    description: str = ""
    roles: list[str] = []
    members: list[str] = []
    created: Moment | None = None


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gives a permission: `view`, `launch`, `operate` or `admin`.

    subject: `user:NAME`, `group:NAME`, `role:NAME`, or `anyone`. resource: `host`, `flow:NAME`,
    `flow:*`, `events:NAME` or `events:*`. namespace: of the hosts where it holds, `*` for all.
    """

    subject: str
    permission: str
    resource: str
    namespace: str = "*"


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """A permission that somebody has on something; the fields are those of NewGrant."""

    id: str
    subject: str
    permission: str
    resource: str
    namespace: str = "*"
    created: Moment | None = None


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit trail: who did what to what, from where, and how it went."""

    number: int
    at: Moment
    who: str
    action: str
    subject: str = ""
    outcome: str = ""
    address: str = ""
    detail: str = ""
