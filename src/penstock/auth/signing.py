"""Signing: what proves that this host, or one with the same key, gave a text out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from itsdangerous import Signer, URLSafeSerializer

TOKEN_MARK: Final = "pst_"  # noqa: S105 - what every token begins with, and no secret
"""What tokens begin with, so that scanners find those that were published by accident."""

_REMEMBERED: Final = 4096
_LONGEST: Final = 512


T = TypeVar("T")


class Secret(Protocol):
    """32 random bytes, or so."""

    @property
    def secret(self) -> bytes: ...


class Secrets(Protocol):
    """Where secrets come from: the keys that values are sealed with. Raises SettingsError."""

    def known(self) -> Sequence[Secret]:
        """All of them, the newest first; the same object as long as they are the same."""
        ...

    def newest(self) -> Secret:
        """The newest one, which is made when there is none."""
        ...


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """What a token's text says. expires: epoch seconds, None for never."""

    id: str
    expires: float | None = None


class Signing:
    """Signs with keys that are derived from the newest secret, and accepts those of all.

    The key of each purpose is another one: an HMAC with SHA-256 of the purpose, by itsdangerous.
    A session cookie is therefore no API token, nor the other way round.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._known: Sequence[Secret] = ()
        self._serializers: dict[str, URLSafeSerializer] = {}
        self._proofs: dict[tuple[str, str], Proof] = {}
        self._marks: Signer | None = None

    def token(self, proof: Proof, *, purpose: str) -> str:
        """The text of a token: URL-safe, and as good as a password."""
        return TOKEN_MARK + self.seal(msgspec.structs.astuple(proof), purpose=purpose)

    def proof(self, text: str, *, purpose: str) -> Proof | None:
        """What a token says, or None for a text that was not given out for this purpose.

        Whether it is still good, the directory knows.
        """
        self._refresh()
        known = self._proofs.get((purpose, text))
        if known is not None:
            return known
        if len(text) > _LONGEST or not text.startswith(TOKEN_MARK):
            return None
        found = self.unseal(text.removeprefix(TOKEN_MARK), Proof, purpose=purpose)
        if found is None:
            return None
        if len(self._proofs) >= _REMEMBERED:  # the oldest goes
            del self._proofs[next(iter(self._proofs))]
        self._proofs[purpose, text] = found
        return found

    def seal(self, value: Sequence[str | float | None], *, purpose: str) -> str:
        """A text that somebody else may keep, but not change. They can read it."""
        text = self._serializer(purpose).dumps(list(value))
        assert isinstance(text, str)
        return text

    def unseal(self, text: str, kind: type[T], *, purpose: str) -> T | None:
        """What was sealed for this purpose, as this type; None for anything else."""
        from itsdangerous import BadData

        try:
            return msgspec.convert(self._serializer(purpose).loads(text), kind)
        except (BadData, msgspec.ValidationError, ValueError):
            return None

    def mark(self, text: str) -> str:
        """A mark that only who has the key can put on a text."""
        return self._marker().get_signature(text).decode()

    def is_marked(self, text: str, mark: str) -> bool:
        """Whether this is the mark of a text. It takes as long for a wrong one as for the right one."""
        return self._marker().verify_signature(text, mark)

    def _marker(self) -> Signer:
        self._refresh()
        if self._marks is None:
            from itsdangerous import Signer

            self._marks = Signer(self._texts(), salt="penstock.csrf", **_DERIVATION)
        return self._marks

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        self._refresh()
        if purpose not in self._serializers:
            from itsdangerous import URLSafeSerializer

            self._serializers[purpose] = URLSafeSerializer(
                self._texts(), salt=f"penstock.{purpose}", signer_kwargs=_DERIVATION
            )
        return self._serializers[purpose]

    def _refresh(self) -> None:
        """Forget what was derived from secrets that are not the same any more."""
        known = self._secrets.known()
        if not known:
            self._secrets.newest()
            known = self._secrets.known()
        if known is not self._known:
            self._known = known
            self._serializers.clear()
            self._proofs.clear()
            self._marks = None

    def _texts(self) -> list[bytes]:
        """The secrets as itsdangerous wants them: the newest last."""
        return [one.secret for one in reversed(self._known)]


_DERIVATION: Final[dict[str, Any]] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
