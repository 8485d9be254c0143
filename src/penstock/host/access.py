"""Access: from the credentials of a request to who asks, and what keeps others' pages out.

A program shows an API token, `Authorization: Bearer …`. A browser has a session in a cookie that
scripts cannot read; since it sends that cookie whoever made it ask, what changes something needs
a proof besides that it was a page of this host (OWASP, "Cross-Site Request Forgery Prevention"):
the browser says where a request came from, and the page repeats a token that others cannot read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from penstock.auth.audit import Act, Outcome, who_of
from penstock.auth.principal import ANONYMOUS, Via
from penstock.auth.records import TokenKind
from penstock.core.errors import LoginLimited, LoginRefused
from penstock.host.api.body import URLENCODED, media_type
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request

    from penstock.auth.principal import Principal
    from penstock.auth.provider import Auth
    from penstock.auth.records import User
    from penstock.auth.tokens import Issued
    from penstock.host.api.operation import Operation

COOKIE: Final = "penstock_session"
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf_token"

Headers = tuple[tuple[str, str], ...]

_FORM_BYTES: Final = 1 << 20
_CHALLENGE: Final = ("WWW-Authenticate", 'Bearer realm="penstock"')
_LONGEST_AGENT: Final = 200


class Access:
    """Who may come in to a host. secure: whether all clients come by TLS."""

    def __init__(self, auth: Auth, *, secure: bool) -> None:
        self._auth = auth
        self._secure = secure

    def cookie(self, connection: HTTPConnection) -> str:
        """The name of the session cookie. By TLS it has a prefix that browsers enforce (RFC 6265bis)."""
        return f"__Host-{COOKIE}" if self._by_tls(connection) else COOKIE

    async def admit(self, request: Request, operation: Operation) -> Principal:
        """Who asks for an operation.

        Raises Refused: with 401 where nobody is known who has to be, and with 403 for a request
        that changes something and may have been made by a page of somebody else.
        """
        principal = self.principal(request, demanded=not operation.open)
        if operation.unsafe:
            await self.require_own_page(request, principal)
        return principal

    async def identify(self, request: Request, *, unsafe: bool) -> Principal:
        """Who asks for a page, known or not.

        unsafe: it may change something. Raises Refused with 403 as `admit` does.
        """
        principal = self.principal(request, demanded=False)
        if unsafe:
            await self.require_own_page(request, principal)
        return principal

    def principal(self, connection: HTTPConnection, *, demanded: bool = True) -> Principal:
        """Who asks, by what the request shows.

        demanded: somebody has to be known, unless something is granted to anyone. Raises Refused
        with 401.
        """
        header = connection.headers.get("authorization", "")
        scheme, _, text = header.partition(" ")
        if header:
            principal = (
                self._auth.directory.authenticate(text.strip()) if scheme.lower() == "bearer" else None
            )
            if principal is not None:
                return principal
            if demanded:
                self.denied(connection, ANONYMOUS, "a token that is not good")
                raise _unauthenticated(
                    "this token is none, or not good any more", ', error="invalid_token"'
                )
        principal = self._auth.directory.session(connection.cookies.get(self.cookie(connection), ""))
        if principal is not None and not (_is_websocket(connection) and _is_foreign(connection)):
            return principal
        if demanded and not self._auth.directory.serves_anyone:
            raise _unauthenticated("who asks is not known")
        return ANONYMOUS

    async def require_own_page(self, request: Request, principal: Principal) -> None:
        """Refuse what a page of somebody else may have made a browser ask. Raises Refused with 403."""
        if principal.via is Via.TOKEN:  # no page of somebody else has it
            return
        if _is_foreign(request):
            self.denied(request, principal, "asked by a page of another origin")
            raise Refused(
                403,
                "a page of another origin made this request",
                kind="cross-origin",
                remedy="use a page of this host, or a program with a token",
            )
        if principal.via is not Via.SESSION:
            return
        token = request.headers.get(CSRF_HEADER) or await _form_token(request)
        # A browser says of every form where it came from; what is streamed need not be read for it.
        if token is None and _is_own(request):
            return
        if token is None or not self._auth.signing.is_marked(principal.credential, token):
            self.denied(request, principal, "without the token of its page")
            raise Refused(
                403,
                "this request does not show that it comes from a page of this host",
                kind="csrf",
                remedy=f"send the csrf_token of GET /api/v1/session as {CSRF_HEADER}, "
                f"or as the field {CSRF_FIELD}",
            )

    def csrf_token(self, principal: Principal) -> str:
        """What a page of a session repeats in each request that changes something."""
        return self._auth.signing.mark(principal.credential) if principal.via is Via.SESSION else ""

    async def log_in(self, request: Request, name: str, password: str) -> tuple[Principal, Headers]:
        """Open a session; who has it, and the headers that give it to the browser.

        Raises Refused: with 401 for a wrong name or password, with 429 after too many, with 403
        for another's page.
        """
        await self.require_own_page(request, ANONYMOUS)
        with _told():
            issued = await self._auth.logins.login(
                name, password, address=address_of(request), agent=agent_of(request)
            )
        return await self.enter(request, issued)

    async def log_in_with_token(self, request: Request, text: str) -> tuple[Principal, Headers]:
        """Open a session with an API token, which it ends with. Raises as `log_in` does."""
        await self.require_own_page(request, ANONYMOUS)
        with _told():
            issued = await self._auth.logins.login_by_token(
                text, address=address_of(request), agent=agent_of(request)
            )
        return await self.enter(request, issued)

    async def confirm(self, request: Request, user: User, password: str) -> None:
        """Make sure that who asks knows the password of a user. Raises Refused with 401 or 429."""
        with _told():
            await self._auth.logins.confirm(user, password, address=address_of(request))

    async def enter(self, request: Request, issued: Issued) -> tuple[Principal, Headers]:
        """Give a session that was opened to the browser, instead of the one it has."""
        before = self._auth.directory.session(request.cookies.get(self.cookie(request), ""))
        if before is not None:
            await self._auth.logins.logout(before, address=address_of(request))
        principal = self._auth.directory.session(issued.text)
        assert principal is not None, "it was opened a moment ago"
        return principal, (self._set_cookie(request, issued),)

    async def log_out(self, request: Request, principal: Principal) -> Headers:
        """End the session; the headers that take it from the browser."""
        if principal.via is Via.SESSION:
            await self._auth.logins.logout(principal, address=address_of(request))
        return (self._cookie_header(request, "", seconds=0),)

    def denied(self, connection: HTTPConnection, principal: Principal, why: str) -> None:
        """Have it in the audit trail that somebody was turned away."""
        self._auth.trail.note(
            Act.DENIED,
            who=who_of(principal),
            subject=f"{connection.scope.get('method', 'GET')} {connection.url.path}",
            outcome=Outcome.REFUSED,
            address=address_of(connection),
            detail=why,
            seldom=f"{who_of(principal)} {why}",
        )

    def _set_cookie(self, request: Request, issued: Issued) -> tuple[str, str]:
        token = issued.token
        assert token.kind is TokenKind.SESSION
        assert token.expires is not None
        seconds = round(token.expires - token.created)
        return self._cookie_header(request, issued.text, seconds=seconds)

    def _cookie_header(self, request: Request, text: str, *, seconds: int) -> tuple[str, str]:
        attributes = "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self._by_tls(request) else "")
        return "Set-Cookie", f"{self.cookie(request)}={text}; Max-Age={seconds}; {attributes}"

    def _by_tls(self, connection: HTTPConnection) -> bool:
        return self._secure or connection.scope["scheme"] in ("https", "wss")


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from, as far as it is known."""
    return connection.client.host if connection.client else ""


def agent_of(connection: HTTPConnection) -> str:
    """What a request was made with, as it says itself."""
    agent = connection.headers.get("user-agent", "")[:_LONGEST_AGENT]
    return "".join(letter for letter in agent if letter.isprintable())


def _is_websocket(connection: HTTPConnection) -> bool:
    upgrade = connection.headers.get("upgrade", "").lower()
    return connection.scope["type"] == "websocket" or upgrade == "websocket"


def _is_own(connection: HTTPConnection) -> bool:
    """Whether the browser says that a page of this host made the request."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return "origin" in connection.headers and not _is_foreign(connection)


def _is_foreign(connection: HTTPConnection) -> bool:
    """Whether the browser says that a page of another origin made the request.

    Programs say nothing of it; neither do they send cookies that somebody else has put there.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = connection.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != connection.headers.get("host", "")


async def _form_token(request: Request) -> str | None:
    """The token of a form; None where there is none, or where the form is streamed."""
    if media_type(request) != URLENCODED:
        return None
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _FORM_BYTES:
        return None
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=None)
    return fields.get(CSRF_FIELD, [None])[0]


@contextmanager
def _told() -> Iterator[None]:
    """Within it, a login that comes to nothing is a Refused."""
    try:
        yield
    except LoginRefused as error:
        raise Refused(401, error.message, kind="login-refused", remedy=error.remedy) from None
    except LoginLimited as error:
        raise Refused(
            429,
            error.message,
            kind="login-limited",
            remedy=error.remedy,
            headers=[("Retry-After", str(max(1, math.ceil(error.retry_after))))],
        ) from None


def _unauthenticated(message: str, more: str = "") -> Refused:
    name, value = _CHALLENGE
    return Refused(
        401,
        message,
        kind="unauthenticated",
        remedy="send `Authorization: Bearer TOKEN`, or log in",
        headers=[(name, value + more)],
    )
