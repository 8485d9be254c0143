"""The audit trail's words, and how entries get into it."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Required, TypedDict, Unpack

from penstock.auth.pause import pause
from penstock.core.audit import AuditEntry
from penstock.core.errors import StoreError

if TYPE_CHECKING:
    from penstock.auth.principal import Principal
    from penstock.core.audit import AuditTrail
    from penstock.core.clock import Clock

LOG: Final = logging.getLogger("penstock.auth")

KEPT_BACK: Final = 10_000
"""How many entries wait at most until the store takes them."""

SELDOM_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 1.0
_LONGEST: Final = 500


class Act(StrEnum):
    """What can be in the trail."""

    LOGIN = "login"
    LOGOUT = "logout"
    DENIED = "access.denied"
    USER_CREATE = "user.create"
    USER_CHANGE = "user.change"
    USER_DELETE = "user.delete"
    GROUP_CREATE = "group.create"
    GROUP_CHANGE = "group.change"
    GROUP_DELETE = "group.delete"
    GRANT_CREATE = "grant.create"
    GRANT_DELETE = "grant.delete"
    TOKEN_CREATE = "token.create"  # noqa: S105 - a word, and no secret
    TOKEN_DELETE = "token.delete"  # noqa: S105
    RUN_LAUNCH = "run.launch"
    RUN_CANCEL = "run.cancel"
    RUN_RESUME = "run.resume"
    RUN_RETRY = "run.retry"
    LOCK_SUBMIT = "lock.submit"
    SPECS_APPLY = "specs.apply"
    SPECS_DELETE = "specs.delete"


class Outcome(StrEnum):
    """What came of an act."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Facts(TypedDict, total=False):
    """What an entry says besides what was done; the fields are those of AuditEntry.

    who: the name of a user, or the one that somebody claimed.
    """

    who: Required[str]
    subject: str
    outcome: Outcome
    address: str
    detail: str


class Trail:
    """Writes the audit trail.

    `record` waits until the entry is on disk. `note` does not, so that a launch need not wait for
    it: what was noted is written together, by `keep`, which somebody runs as long as this is used.
    """

    def __init__(self, store: AuditTrail, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: list[AuditEntry] = []
        self._left_out = 0
        self._told: dict[tuple[str, ...], float] = {}
        self._news = asyncio.Event()

    async def record(self, act: Act, **facts: Unpack[Facts]) -> None:
        """Write one entry. Raises StoreError."""
        await self._store.record_audit([self._entry(act, **facts)])

    def note(self, act: Act, *, seldom: str = "", **facts: Unpack[Facts]) -> None:
        """Have an entry written soon. When the store is away for long, the newest are left out.

        seldom: of entries of which this and the address are the same, one a minute is enough:
        nobody is to fill the store by being turned away.
        """
        if seldom and self._is_told((act, facts.get("address", ""), seldom)):
            return
        if len(self._noted) >= KEPT_BACK:
            self._left_out += 1
            return
        self._noted.append(self._entry(act, **facts))
        self._news.set()

    def _is_told(self, key: tuple[str, ...]) -> bool:
        """Whether there was such an entry lately. If not, there is one now."""
        now = self._clock.monotonic()
        told = self._told.get(key)
        if told is not None and now - told < SELDOM_SECONDS:
            return True
        self._told.pop(key, None)
        self._told[key] = now
        if len(self._told) > KEPT_BACK:  # the oldest goes
            del self._told[next(iter(self._told))]
        return False

    async def keep(self) -> None:
        """Write what is noted, as it comes, until this is cancelled; then write what is left."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                try:
                    await self.flush()
                except StoreError as error:
                    LOG.warning("the audit trail cannot be written: %s", error.message)
                    await pause(self._clock, RETRY_SECONDS)
                    self._news.set()
        finally:
            await self._flush_last()

    async def flush(self) -> None:
        """Write everything that is noted. Raises StoreError, and then it is still noted."""
        while self._noted:
            batch = self._noted[:]
            await self._store.record_audit(batch)
            del self._noted[: len(batch)]
        if self._left_out:
            LOG.error("%d entries of the audit trail were left out: the store was away", self._left_out)
            self._left_out = 0

    async def _flush_last(self) -> None:
        try:
            await self.flush()
        except StoreError as error:
            LOG.warning("%d entries of the audit trail are lost: %s", len(self._noted), error.message)

    def _entry(self, act: Act, **facts: Unpack[Facts]) -> AuditEntry:
        texts: dict[str, Any] = {name: _short(str(text)) for name, text in facts.items()}
        return AuditEntry(at=self._clock.now(), action=str(act), **texts)


def who_of(principal: Principal) -> str:
    """How the trail calls a principal: the name of the user, which people recognise."""
    return principal.name or "anonymous"


def _short(text: str) -> str:
    """A text that somebody else may have sent, in one line that fits."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
