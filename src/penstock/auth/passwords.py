"""Passwords: what may be one, and how its hash is made and checked."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from typing import TYPE_CHECKING, Final

from penstock.core.errors import AccountError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 8
LONGEST: Final = 1024
"""In characters: NIST SP 800-63B-4 for the one, and against waste of time for the other."""

AT_ONCE: Final = 2
"""How many hashes are made at a time: each takes 64 MiB and a processor."""


class Passwords:
    """Hashes by Argon2id, made on a thread; RFC 9106's second recommendation unless told otherwise.

    hasher: with other parameters. Hashes that were made with others stay good, and are `stale`.
    """

    def __init__(self, *, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher
        self._decoy = ""
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str, *, name: str = "") -> str:
        """The hash of a new password. Raises AccountError for one that is none.

        name: of its user, which is no password either.
        """
        password = _normal(password)
        if len(password) < SHORTEST:
            raise AccountError(
                f"this password has {len(password)} characters",
                field="password",
                remedy=f"choose one with {SHORTEST} or more; several words are easy to remember",
            )
        if len(password) > LONGEST:
            raise AccountError(
                f"this password has more than {LONGEST} characters",
                field="password",
                remedy="choose a shorter one",
            )
        if name and password.casefold() == name.casefold():
            raise AccountError(
                "this password is the name of its user", field="password", remedy="choose another one"
            )
        async with self._turns:
            return await asyncio.to_thread(self._argon2.hash, password)

    async def hash_again(self, password: str) -> str:
        """The hash of a password that was found right. It was allowed when it was chosen."""
        async with self._turns:
            return await asyncio.to_thread(self._argon2.hash, _normal(password))

    async def fits(self, hash_: str, password: str) -> bool:
        """Whether a password is the one of a hash.

        An empty hash has none, and takes as long: how long an answer took does not tell who exists.
        """
        password = _normal(password)
        if len(password) > LONGEST:
            return False
        async with self._turns:
            return await asyncio.to_thread(self._fits, hash_, password)

    def stale(self, hash_: str) -> bool:
        """Whether a hash was made with other parameters than new ones are."""
        return self._argon2.check_needs_rehash(hash_)

    @property
    def _argon2(self) -> PasswordHasher:
        if self._hasher is None:
            from argon2 import PasswordHasher

            self._hasher = PasswordHasher()
        return self._hasher

    def _fits(self, hash_: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        if not self._decoy:  # whoever is first, known or not, waits for it
            self._decoy = self._argon2.hash(secrets.token_hex())
        try:
            self._argon2.verify(hash_ or self._decoy, password)
        except (VerificationError, InvalidHashError):
            return False
        return bool(hash_)


def _normal(password: str) -> str:
    """The same text for the same password, however a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password)
