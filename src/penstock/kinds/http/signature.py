"""Signatures: whether a request comes from whom it should."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from penstock.core.duration import Duration
from penstock.core.errors import RequestRefused
from penstock.engine.kind import FieldError

if TYPE_CHECKING:
    from penstock.server.messages import Request

_HEADERS: Final = {"github": "x-hub-signature-256", "stripe": "stripe-signature"}


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are signed: with an HMAC of the body, under a secret that both sides know.

    secret: one, or several while one replaces the other; take it from `env`.
    scheme: `github` (`X-Hub-Signature-256: sha256=…`), `stripe` (`Stripe-Signature: t=…,v1=…`, where
    the time is signed, too, and may differ from now by `tolerance`), or `hex` and `base64`, the
    plain digest in a header.
    header: where it is; `hex` and `base64` need it. algorithm: of the plain digests.
    """

    secret: str | list[str]
    scheme: Literal["github", "stripe", "hex", "base64"] = "github"
    header: str = ""
    algorithm: Literal["sha256", "sha1", "sha384", "sha512"] = "sha256"
    tolerance: Duration = Duration(minutes=5)

    def check(self) -> None:
        """Refuse what cannot work: raise FieldError."""
        if not self._secrets() or not all(self._secrets()):
            raise FieldError(("signature", "secret"), "it is empty; anybody could sign with that")
        if not self.header and self.scheme not in _HEADERS:
            raise FieldError(("signature", "header"), f"`{self.scheme}` needs the name of the header")
        if self.algorithm != "sha256" and self.scheme in _HEADERS:
            raise FieldError(("signature", "algorithm"), f"`{self.scheme}` always uses sha256")

    def verify(self, request: Request, body: bytes, *, now: float) -> None:
        """Refuse a request that is not signed as it should be: RequestRefused with status 401."""
        name = (self.header or _HEADERS[self.scheme]).lower()
        given = request.header(name).strip()
        if not given:
            raise RequestRefused(401, f"the request is not signed: the header `{name}` is missing")
        if self.scheme == "stripe":
            matches = self._matches_stripe(given, body, now)
        else:
            matches = self._matches(_digest(given, self.scheme), body)
        if not matches:
            raise RequestRefused(401, "the signature is not that of this body and our secret")

    def _matches_stripe(self, given: str, body: bytes, now: float) -> bool:
        """`t` is signed with the body; of several `v1`, one has to be right."""
        pairs = [part.strip().partition("=") for part in given.split(",")]
        times = [value for name, _, value in pairs if name == "t"]
        if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12:
            raise RequestRefused(401, "the signature has no time `t`")
        if abs(now - int(times[0])) > self.tolerance.total_seconds():
            raise RequestRefused(401, "the signature is too old, or one of our clocks is wrong")
        signed = times[0].encode() + b"." + body
        digests = [_digest(value, "hex") for name, _, value in pairs if name == "v1"]
        return any(self._matches(digest, signed) for digest in digests)

    def _matches(self, given: bytes | None, signed: bytes) -> bool:
        """Whether a digest is right under one of the secrets, compared in constant time."""
        expected = [
            hmac.digest(secret.encode(), signed, getattr(hashlib, self.algorithm))
            for secret in self._secrets()
        ]
        return given is not None and any(hmac.compare_digest(given, each) for each in expected)

    def _secrets(self) -> list[str]:
        return [self.secret] if isinstance(self.secret, str) else self.secret


def _digest(text: str, scheme: str) -> bytes | None:
    """The digest that a header says, or None when it says none."""
    if scheme == "github":
        kind, _, text = text.partition("=")
        if kind != "sha256":
            return None
    try:
        return base64.b64decode(text, validate=True) if scheme == "base64" else bytes.fromhex(text)
    except (binascii.Error, ValueError):
        return None
