"""Login: a name and a password, and what comes of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from penstock.auth.audit import Act, Outcome
from penstock.auth.records import Token, User
from penstock.core.errors import LoginLimited, LoginRefused

if TYPE_CHECKING:
    from penstock.auth.attempts import Attempts
    from penstock.auth.audit import Trail
    from penstock.auth.directory import Directory
    from penstock.auth.passwords import Passwords
    from penstock.auth.principal import Principal
    from penstock.auth.tokens import Issued, Tokens
    from penstock.auth.users import Users


class Logins:
    """Lets people in, and keeps those out who guess."""

    def __init__(
        self,
        *,
        directory: Directory,
        users: Users,
        tokens: Tokens,
        passwords: Passwords,
        attempts: Attempts,
        trail: Trail,
    ) -> None:
        self._directory = directory
        self._users = users
        self._tokens = tokens
        self._passwords = passwords
        self._attempts = attempts
        self._trail = trail

    async def login(self, name: str, password: str, *, address: str = "", agent: str = "") -> Issued:
        """A session for who has this name and this password.

        address: where they come from. agent: what with. Raises LoginRefused, which does not tell
        whether the name exists, LoginLimited, and StoreError.
        """
        user = await self._proven(name.strip().lower(), password, address)
        if self._passwords.stale(user.password):
            await self._users.rehash(user, password)
        return await self.admit(user, address=address, agent=agent)

    async def confirm(self, user: User, password: str, *, address: str = "") -> None:
        """Make sure that who is logged in knows the password, too. Raises as `login` does."""
        await self._proven(user.name, password, address)

    async def login_by_token(self, text: str, *, address: str = "", agent: str = "") -> Issued:
        """A session for who has an API token; it is good for no more, and ends with it.

        Raises as `login` does.
        """
        await self._refuse_hasty("", address)
        principal = self._directory.authenticate(text)
        if principal is None:
            self._attempts.failed("", address)
            await self._refused("", address, "a token that is not good")
            raise LoginRefused("this token is none, or not good any more", remedy="use another one")
        picture = self._directory.picture
        user, token = picture.get(User, principal.id), picture.get(Token, principal.credential)
        assert user is not None, "a token has proved who it is"
        return await self.admit(user, address=address, agent=agent, by="a token", origin=token)

    async def admit(
        self,
        user: User,
        *,
        address: str = "",
        agent: str = "",
        by: str = "a password",
        origin: Token | None = None,
    ) -> Issued:
        """A session for somebody who has proved to be this user. by: what with."""
        issued = await self._tokens.begin_session(user, name=agent or "a browser", origin=origin)
        detail = f"session {issued.token.id} by {by}"
        await self._trail.record(Act.LOGIN, who=user.name, address=address, detail=detail)
        return issued

    async def logout(self, principal: Principal, *, address: str = "") -> None:
        """End the session, or the token, that somebody has shown."""
        user = self._directory.picture.get(User, principal.id)
        own = self._directory.picture.tokens_of(user) if user else []
        await self._tokens.revoke(token for token in own if token.id == principal.credential)
        detail = f"session {principal.credential}"
        await self._trail.record(Act.LOGOUT, who=principal.name, address=address, detail=detail)

    async def _proven(self, name: str, password: str, address: str) -> User:
        """The user whose name and password these are."""
        await self._refuse_hasty(name, address)
        # Counted before it is known, so that attempts at the same time do not slip through.
        self._attempts.failed(name, address)
        before = self._directory.picture.named(User, name)
        fits = await self._passwords.fits(before.password if before else "", password)
        # That took a while, in which the password may have become another one.
        user = self._directory.picture.named(User, name)
        right = before is not None and user is not None and user.password == before.password and fits
        if user is None or not right or not user.active:
            await self._refused(name, address, "not active" if right else "wrong")
            raise LoginRefused(
                "this name and this password do not belong together",
                remedy="check both; an administrator sets a new password",
            )
        self._attempts.succeeded(name, address)
        return user

    async def _refuse_hasty(self, name: str, address: str) -> None:
        wait = self._attempts.wait(name, address)
        if wait > 0:
            why = "too many attempts"
            self._trail.note(
                Act.LOGIN,
                who=name,
                outcome=Outcome.REFUSED,
                address=address,
                detail=why,
                seldom=why,
            )
            raise LoginLimited(
                "too many attempts to log in",
                retry_after=wait,
                remedy=f"wait {math.ceil(wait)} seconds",
            )

    async def _refused(self, name: str, address: str, why: str) -> None:
        await self._trail.record(
            Act.LOGIN, who=name, outcome=Outcome.REFUSED, address=address, detail=why
        )
