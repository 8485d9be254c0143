"""Who asks, and who may do what on a host, in both worlds."""

from __future__ import annotations

from penstock.api import (
    AuditView,
    GrantView,
    GroupChange,
    GroupView,
    Login,
    NewGrant,
    NewGroup,
    NewPassword,
    NewToken,
    NewUser,
    SessionView,
    TokenView,
    UserChange,
    UserView,
)
from penstock.client.connection import Connection
from penstock.client.effects import Items, Steps, delete, get, patch, post, put
from penstock.client.line import Line
from penstock.client.operation import listing, operation


class AccountOperations:
    """Sessions and tokens of who asks; users, groups and the audit trail for administrators.

    Methods raise Unauthorized, Forbidden, EntryNotFound, and AccountError for what cannot be so.
    """

    _line: Line
    _connection: Connection

    @operation
    def session(self) -> Steps[SessionView]:
        """Who the host takes one for."""
        return (yield from self._line.fetch(SessionView, get("session")))

    @operation
    def login(self, name: str, password: str) -> Steps[SessionView]:
        """Open a session, with which this client goes on, token or no. Raises Unauthorized."""
        body = Login(name=name, password=password)
        view = yield from self._line.fetch(SessionView, post("session", body=body))
        self._connection.token, self._connection.csrf = "", view.csrf_token
        return view

    @operation
    def logout(self) -> Steps[None]:
        """End the session; nothing happens where there is none."""
        yield from self._line.send(delete("session"))
        self._connection.csrf = ""

    @operation
    def change_password(self, old: str, new: str) -> Steps[None]:
        """Change one's own password. All other sessions end."""
        yield from self._line.send(put("session", "password", body=NewPassword(old=old, new=new)))

    # --- tokens -------------------------------------------------------------------

    @operation
    def tokens(self, user: str = "") -> Steps[list[TokenView]]:
        """One's own tokens and sessions, or those of another user; never their secrets."""
        return (yield from self._line.all(TokenView, get("tokens", user=user)))

    @operation
    def add_token(
        self,
        name: str,
        *,
        expires_in: float | None = None,
        permission: str = "admin",
        user: str = "",
    ) -> Steps[TokenView]:
        """Make a token; its `secret` is in what is returned, and never again.

        expires_in: seconds from now. permission: what it is good for at most. user: whose it is,
        oneself unless told otherwise.
        """
        body = NewToken(name=name, expires_in=expires_in, permission=permission, user=user)
        return (yield from self._line.fetch(TokenView, post("tokens", body=body)))

    @operation
    def remove_token(self, id: str) -> Steps[None]:  # noqa: A002 - the field's word
        """End a token or a session, at once."""
        yield from self._line.send(delete("tokens", id))

    # --- users and groups -----------------------------------------------------------

    @operation
    def users(self) -> Steps[list[UserView]]:
        return (yield from self._line.all(UserView, get("users")))

    @operation
    def user(self, name: str) -> Steps[UserView]:
        return (yield from self._line.fetch(UserView, get("users", name)))

    @operation
    def add_user(self, user: NewUser) -> Steps[UserView]:
        return (yield from self._line.fetch(UserView, post("users", body=user)))

    @operation
    def change_user(self, name: str, change: UserChange) -> Steps[UserView]:
        """Change a user. One who is made inactive is out at once."""
        return (yield from self._line.fetch(UserView, patch("users", name, body=change)))

    @operation
    def remove_user(self, name: str) -> Steps[None]:
        """Remove a user, with their grants and tokens."""
        yield from self._line.send(delete("users", name))

    @operation
    def groups(self) -> Steps[list[GroupView]]:
        return (yield from self._line.all(GroupView, get("groups")))

    @operation
    def group(self, name: str) -> Steps[GroupView]:
        return (yield from self._line.fetch(GroupView, get("groups", name)))

    @operation
    def add_group(self, group: NewGroup) -> Steps[GroupView]:
        return (yield from self._line.fetch(GroupView, post("groups", body=group)))

    @operation
    def change_group(self, name: str, change: GroupChange) -> Steps[GroupView]:
        return (yield from self._line.fetch(GroupView, patch("groups", name, body=change)))

    @operation
    def remove_group(self, name: str) -> Steps[None]:
        yield from self._line.send(delete("groups", name))

    # --- grants, and what happened ----------------------------------------------------

    @operation
    def grants(self, *, subject: str = "", resource: str = "") -> Steps[list[GrantView]]:
        """The grants that one may see; only those of a subject, or on a resource."""
        return (yield from self._line.all(GrantView, get("grants", subject=subject, resource=resource)))

    @operation
    def grant(self, grant: NewGrant) -> Steps[GrantView]:
        """Give somebody a permission on something."""
        # The same again is the same grant.
        return (yield from self._line.fetch(GrantView, post("grants", body=grant, repeatable=True)))

    @operation
    def remove_grant(self, id: str) -> Steps[None]:  # noqa: A002 - the field's word
        yield from self._line.send(delete("grants", id))

    @listing
    def audit(self, *, who: str = "", action: str = "", subject: str = "") -> Items[AuditView]:
        """Who did what, the newest first: logins, changes of accounts, launches, releases."""
        return self._line.pages(AuditView, get("audit", who=who, action=action, subject=subject))
