"""Who asks, and who may do what on a host, in both worlds."""

from __future__ import annotations

from penstock.api import Login, SessionView, TokenView
from penstock.client.connection import Connection
from penstock.client.effects import Steps, delete, get, post
from penstock.client.line import Line
from penstock.client.operation import operation


class AccountOperations:
    """The session and tokens of who asks; users, groups, grants for those who may `admin`."""

    _line: Line
    _connection: Connection

    @operation
    def session(self) -> Steps[SessionView]:
        """Who the host takes one for."""
        return (yield from self._line.fetch(SessionView, get("session")))

    @operation
    def login(self, name: str, password: str) -> Steps[SessionView]:
        """Open a session, which this client goes on with. Raises Unauthorized."""
        body = Login(name=name, password=password)
        view = yield from self._line.fetch(SessionView, post("session", body=body))
        self._connection.csrf = view.csrf_token
        return view

    @operation
    def logout(self) -> Steps[None]:
        """End the session."""
        yield from self._line.send(delete("session"))
        self._connection.csrf = ""

    @operation
    def tokens(self) -> Steps[list[TokenView]]:
        """One's own tokens, without their secrets."""
        return (yield from self._line.all(TokenView, get("tokens")))
