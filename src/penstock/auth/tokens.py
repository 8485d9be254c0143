"""Tokens and sessions: given out and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.auth.permission import Permission
from penstock.auth.records import Token, TokenKind, User, dropped, kept, new_id
from penstock.auth.signing import Proof
from penstock.core.errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.auth.directory import Directory
    from penstock.auth.principal import Principal
    from penstock.auth.signing import Signing
    from penstock.core.catalog import Catalog
    from penstock.core.clock import Clock

SESSION_SECONDS: Final = 12 * 3600.0
MOST_SESSIONS: Final = 50
"""Of one user at a time; the oldest ends when there is one more."""

_LONGEST_NAME: Final = 200


class Issued(NamedTuple):
    """A token that was just made. text: what proves it; nobody can find it out again."""

    token: Token
    text: str

    def __repr__(self) -> str:
        """Without the text: it must not reach a log by accident."""
        return f"Issued({self.token.id!r})"


class Tokens:
    """What is given out in the name of users. Every method raises StoreError."""

    def __init__(self, store: Catalog, *, directory: Directory, signing: Signing, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._signing = signing
        self._clock = clock

    async def issue(
        self,
        user: User,
        *,
        name: str,
        expires_in: float | None = None,
        ceiling: Permission = Permission.ADMIN,
        asked_by: Principal | None = None,
    ) -> Issued:
        """An API token for a user. Raises AccountError.

        expires_in: seconds. asked_by: who asks, when that is the user; a token makes none that
        is good for more, or for longer, than itself.
        """
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise AccountError(
                "a token has a name by which you will know it again",
                field="name",
                remedy=f"give it one of up to {_LONGEST_NAME} characters",
            )
        if expires_in is not None and not 0 < expires_in < float("inf"):
            raise AccountError(
                "a token ends after a time, or never", field="expires_in", remedy="give it some seconds"
            )
        now = self._clock.now()
        expires = None if expires_in is None else now + expires_in
        if asked_by is not None:
            _within(asked_by, ceiling=ceiling, expires=expires)
        token = Token(
            id=new_id(Token),
            name=name,
            kind=TokenKind.API,
            user=user.id,
            created=now,
            expires=expires,
            ceiling=ceiling,
        )
        return await self._give(token)

    async def begin_session(
        self, user: User, *, name: str, seconds: float = SESSION_SECONDS, origin: Token | None = None
    ) -> Issued:
        """A session for a user who has logged in. name: what they logged in with, for their list.

        origin: the token that they showed, when it was one; the session is good for no more than
        that, and ends with it. Their sessions that are over are forgotten, and the oldest when
        there are too many.
        """
        now = self._clock.now()
        given = self._directory.picture.tokens_of(user)
        own = [each for each in given if each.kind is TokenKind.SESSION]
        over = [each for each in own if each.is_over(now)]
        going_on = [each for each in own if not each.is_over(now)]
        await self.revoke([*over, *going_on[MOST_SESSIONS - 1 :]])
        expires = now + seconds
        if origin is not None and origin.expires is not None:
            expires = min(expires, origin.expires)
        session = Token(
            id=new_id(Token),
            name=name[:_LONGEST_NAME],
            kind=TokenKind.SESSION,
            user=user.id,
            created=now,
            expires=expires,
            ceiling=Permission.ADMIN if origin is None else origin.ceiling,
            origin="" if origin is None else origin.id,
        )
        return await self._give(session)

    async def revoke(self, tokens: Iterable[Token]) -> None:
        """End tokens and sessions. They are of no use any more when this returns."""
        writes = [dropped(token) for token in tokens]
        if writes:
            self._directory.take(await self._store.write(writes, at=self._clock.now()))

    async def sweep(self) -> int:
        """Forget what is over; how many there were."""
        now = self._clock.now()
        over = [token for token in self._directory.picture.all(Token) if token.is_over(now)]
        await self.revoke(over)
        return len(over)

    async def _give(self, token: Token) -> Issued:
        entries = await self._store.write([kept(token, revision=0)], at=token.created)
        self._directory.take(entries)
        return Issued(token, self._signing.token(Proof(token.id, token.expires), purpose=token.kind))


def _within(principal: Principal, *, ceiling: Permission, expires: float | None) -> None:
    """Refuse what is good for more than what was shown for it."""
    if not principal.ceiling.includes(ceiling):
        raise AccountError(
            f"your token is good for `{principal.ceiling}`, and cannot make one for `{ceiling}`",
            field="permission",
            remedy="log in, or use a token that is good for more",
        )
    if principal.until is not None and (expires is None or expires > principal.until):
        raise AccountError(
            "your token ends before the one that it is to make",
            field="expires_in",
            remedy="choose an earlier end, or log in",
        )
