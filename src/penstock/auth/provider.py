"""The auth provider, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from penstock.auth.attempts import Attempts
from penstock.auth.audit import Trail
from penstock.auth.directory import Directory
from penstock.auth.first import ensure_admin
from penstock.auth.grants import Grants
from penstock.auth.groups import Groups
from penstock.auth.ledger import Ledger
from penstock.auth.login import Logins
from penstock.auth.oidc.provider import IdentityProvider
from penstock.auth.passwords import Passwords
from penstock.auth.pause import pause
from penstock.auth.signing import Signing
from penstock.auth.tokens import Tokens
from penstock.auth.users import Users
from penstock.core.errors import StoreError

if TYPE_CHECKING:
    from penstock.auth.oidc.settings import ProviderSettings
    from penstock.auth.signing import Secrets
    from penstock.auth.tokens import Issued
    from penstock.core.clock import Clock
    from penstock.core.store import Store

LOG: Final = logging.getLogger("penstock.auth")

SWEEP_SECONDS: Final = 3600.0


class Auth:
    """Everything about who somebody is and what they may do, on one store.

    It is of use after `open`, and stays right while it is entered: then it follows what other
    processes change. passwords: with other parameters than the usual ones. providers: through
    which people log in.

        async with Auth(store, secrets=keys, clock=clock, namespace="default") as auth:
            principal = auth.directory.authenticate(text)
    """

    def __init__(
        self,
        store: Store,
        *,
        secrets: Secrets,
        clock: Clock,
        namespace: str = "default",
        passwords: Passwords | None = None,
        providers: Iterable[ProviderSettings] = (),
    ) -> None:
        self.store = store
        self._clock = clock
        self._following: asyncio.Task[None] | None = None
        self.passwords = passwords or Passwords()
        self.providers = {each.name: IdentityProvider(each, clock=clock) for each in providers}
        self.signing = Signing(secrets)
        self.trail = Trail(store, clock=clock)
        self.directory = Directory(store, signing=self.signing, clock=clock, namespace=namespace)
        self.ledger = Ledger(store, directory=self.directory, clock=clock)
        self.users = Users(self.ledger, passwords=self.passwords)
        self.groups = Groups(self.ledger)
        self.grants = Grants(self.ledger)
        self.tokens = Tokens(store, directory=self.directory, signing=self.signing, clock=clock)
        self.logins = Logins(
            directory=self.directory,
            users=self.users,
            tokens=self.tokens,
            passwords=self.passwords,
            attempts=Attempts(clock=clock),
            trail=self.trail,
        )

    async def open(self) -> None:
        """Read who there is. Raises StoreError."""
        await self.directory.load()

    async def __aenter__(self) -> Self:
        """Raises StoreError."""
        await self.open()
        self._following = asyncio.create_task(self.follow(), name="penstock:auth")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._following is not None
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following

    async def follow(self) -> None:
        """Follow what other processes change, keep the audit trail, and forget what is over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.directory.follow(), name="penstock:directory")
            group.create_task(self.trail.keep(), name="penstock:audit")
            group.create_task(self._sweep(), name="penstock:sessions")

    async def ensure_admin(self) -> Issued | None:
        """Make the first administrator, on a store that has no users; their token, or None."""
        return await ensure_admin(
            ledger=self.ledger, users=self.users, tokens=self.tokens, trail=self.trail
        )

    async def _sweep(self) -> None:
        """Forget tokens and sessions that are over, now and then."""
        while True:
            try:
                await self.tokens.sweep()
            except StoreError as error:  # it comes again
                LOG.warning("what is over could not be forgotten: %s", error.message)
            await pause(self._clock, SWEEP_SECONDS)
