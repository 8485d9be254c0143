"""Arrival: from what an identity provider says of somebody to a user here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from penstock.auth.audit import Act, Outcome
from penstock.core.errors import AccountError, ProviderError

if TYPE_CHECKING:
    from penstock.auth.oidc.provider import Identity
    from penstock.auth.oidc.settings import ProviderSettings
    from penstock.auth.provider import Auth
    from penstock.auth.records import User
    from penstock.auth.tokens import Issued

_UNFIT: Final = re.compile(r"[^a-z0-9._@+-]+")


async def welcome(
    auth: Auth, settings: ProviderSettings, identity: Identity, *, address: str = "", agent: str = ""
) -> Issued:
    """A session for somebody who comes from a provider.

    Who comes again is who they were, whatever they are called by now. Who comes for the first
    time becomes a user where that is allowed, but never one who is there already: names at a
    provider may be chosen freely. Raises ProviderError and StoreError.
    """
    try:
        user = await _user(auth, settings, identity)
        if identity.groups is not None:
            user = await auth.users.claim(user, identity.groups)
    except ProviderError as error:
        await auth.trail.record(
            Act.LOGIN,
            who=identity.name,
            outcome=Outcome.REFUSED,
            address=address,
            detail=f"{error.code}, by {settings.name}: {identity.subject}",
        )
        raise
    return await auth.logins.admit(user, address=address, agent=agent, by=settings.name)


async def _user(auth: Auth, settings: ProviderSettings, identity: Identity) -> User:
    known = auth.directory.picture.of_identity(identity.key)
    if known is not None and not known.active:
        raise ProviderError("this user may not log in", code="inactive")
    if known is not None:
        return known
    if not settings.create_users:
        raise ProviderError(
            "nobody here is known by this login",
            code="unknown",
            remedy=f"ask an administrator to give a user the identity `{identity.key}`",
        )
    name = _UNFIT.sub("-", identity.name.lower()).strip("-._@+")
    try:
        user = await auth.users.add(
            name, email=identity.email, roles=settings.roles, identities=(identity.key,)
        )
    except AccountError as error:
        known = auth.directory.picture.of_identity(identity.key)
        if known is not None:  # they have logged in twice at the same time
            return known
        raise ProviderError(
            f"no user can be made of this login: {error.message}",
            code=error.field,
            remedy=f"ask an administrator to give a user the identity `{identity.key}`",
        ) from error
    await auth.trail.record(
        Act.USER_CREATE,
        who=settings.name,
        subject=f"user:{user.name}",
        detail=f"first login by {settings.name}: {identity.subject}",
    )
    return user
