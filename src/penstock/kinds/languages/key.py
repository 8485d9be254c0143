"""Keys: what tells one payload from another, where kinds keep something for each."""

from __future__ import annotations

import hashlib

from penstock.core.payload import Payload, encode
from penstock.kinds.languages.cel import Expression


class Key:
    """Makes a short key of a payload: of what an expression says of it, or of the whole.

    Payloads that are equal have the same key, in whatever order their mappings are written.
    Raises ValueError when the expression is broken, and NodeError where it cannot be asked.
    """

    def __init__(self, code: str | None) -> None:
        self._expression = None if code is None else Expression(code)

    def __call__(self, payload: Payload) -> bytes:
        about = payload if self._expression is None else self._expression(payload)
        return hashlib.blake2b(encode(_ordered(about)), digest_size=16).digest()


def _ordered(payload: Payload) -> Payload:
    if isinstance(payload, dict):
        return {key: _ordered(payload[key]) for key in sorted(payload)}
    return [_ordered(item) for item in payload] if isinstance(payload, list) else payload
