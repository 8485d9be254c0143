"""Sessions and tokens: who asks, how people come in, and what is given out in their name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from penstock.api.accounts import Login, NewPassword, NewToken, SessionView, TokenView
from penstock.api.pages import Page
from penstock.api.times import moment
from penstock.auth import Permission
from penstock.auth.audit import Act, Outcome, who_of
from penstock.auth.records import Token, User
from penstock.auth.views import token_view
from penstock.core.errors import AccountError, EntryNotFound
from penstock.host.access import address_of
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations, Reply
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from penstock.auth.principal import Principal

session = Operations("session")

_KNOWN: Final = {403: "Who asks is no user."}


class TokensQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """user: by name, whose they are; empty for one's own, and others' for administrators alone."""

    user: str = ""


@session.get("/session", open=True)
async def show_session(call: Call) -> SessionView:
    """Show who asks, and for a session the token that its pages repeat."""
    return session_view(call, call.principal)


@session.post(
    "/session",
    open=True,
    errors={
        401: "This name and this password do not belong together.",
        403: "A page of another origin asks.",
        429: "Too many attempts have failed.",
    },
)
async def log_in(call: Call, body: Login) -> Reply[SessionView]:
    """Open a session: the answer sets its cookie."""
    principal, headers = await call.host.access.log_in(call.request, body.name, body.password)
    return Reply(session_view(call, principal), 200, headers)


@session.delete("/session", open=True, status=204, errors={403: "A page of another origin asks."})
async def log_out(call: Call) -> Reply[None]:
    """End the session. Where there is none, that is fine as well."""
    headers = await call.host.access.log_out(call.request, call.principal)
    return Reply(None, 204, headers)


@session.put(
    "/session/password",
    status=204,
    errors={
        **_KNOWN,
        401: "Nobody is known, or the old password is wrong.",
        429: "Too many attempts have failed.",
    },
)
async def change_password(call: Call, body: NewPassword) -> None:
    """Change one's own password. All other sessions end."""
    user = known_user(call)
    await call.host.access.confirm(call.request, user, body.old)
    await call.host.auth.users.change(user.id, password=body.new, keep=call.principal.credential)
    await tell(call, Act.USER_CHANGE, f"user:{user.name}", "password")


@session.get("/tokens", errors={**_KNOWN, 422: "There is no such user."})
async def list_tokens(call: Call, query: TokensQuery) -> Page[TokenView]:
    """List tokens and sessions, the newest first; never the secrets."""
    owner = _owner(call, query.user)
    picture = call.host.directory.picture
    return Page(items=[token_view(picture, token) for token in picture.tokens_of(owner)])


@session.post("/tokens", status=201, errors=_KNOWN)
async def create_token(call: Call, body: NewToken) -> TokenView:
    """Make a token. Its secret is in the answer, and nowhere else."""
    owner = _owner(call, body.user)
    issued = await call.host.auth.tokens.issue(
        owner,
        name=body.name,
        expires_in=body.expires_in,
        ceiling=Permission.parse(body.permission),
        asked_by=call.principal,
    )
    await tell(call, Act.TOKEN_CREATE, f"user:{owner.name}", f"token {issued.token.id}")
    return token_view(call.host.directory.picture, issued.token, secret=issued.text)


@session.delete("/tokens/{id}", status=204, errors={**_KNOWN, 404: "There is no such token."})
async def delete_token(call: Call, id: str) -> None:  # noqa: A002 - the field's word
    """End a token or a session."""
    user = known_user(call)
    picture = call.host.directory.picture
    token = picture.get(Token, id)
    own = token is not None and token.user == user.id
    if token is None or not (own or call.administers):
        raise EntryNotFound("there is no such token", remedy="GET /api/v1/tokens lists them")
    owner = picture.get(User, token.user)
    await call.host.auth.tokens.revoke([token])
    subject = f"user:{owner.name if owner else token.user}"
    await tell(call, Act.TOKEN_DELETE, subject, f"token {token.id}")


# --- what several operations do -----------------------------------------------------


def known_user(call: Call) -> User:
    """The user who asks. Raises Refused with status 403 where nobody is known."""
    user = call.host.directory.picture.get(User, call.principal.id)
    if user is None:
        raise Refused(403, "this is for users", kind="forbidden", remedy="log in")
    return user


async def tell(call: Call, act: Act, subject: str, detail: str = "") -> None:
    """Have it in the audit trail that who asks has done something."""
    await call.host.auth.trail.record(
        act,
        who=who_of(call.principal),
        subject=subject,
        outcome=Outcome.DONE,
        address=address_of(call.request),
        detail=detail,
    )


def session_view(call: Call, principal: Principal) -> SessionView:
    """A principal as it sees itself."""
    return SessionView(
        id=principal.id,
        name=principal.name,
        groups=list(principal.groups),
        roles=list(principal.roles),
        via=str(principal.via),
        expires=moment(principal.expires),
        csrf_token=call.host.access.csrf_token(principal),
    )


def _owner(call: Call, name: str) -> User:
    """Whose tokens are meant. Raises Refused with 403 for somebody else's, and AccountError."""
    user = known_user(call)
    if not name or name.lower() == user.name:
        return user
    call.administer()
    found = call.host.directory.picture.named(User, name.lower())
    if found is None:
        raise AccountError(
            f"there is no user `{name}`", field="user", remedy="GET /api/v1/users lists them"
        )
    return found
