"""Ids of documents, for those that bring none along."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Any, Final

import msgspec

_ROOT: Final = uuid.UUID("9f0c5d1e-6b1c-5a43-9a57-3b0c3c1f6a10")
_ORDERED: Final = frozenset({"links", "ports"})
"""Fields whose keys stand in an order that means something: responses are listed in it."""


def new_id(now: float) -> str:
    """A UUID of version 7 (RFC 9562): those made later sort behind those made before."""
    number = (int(now * 1000) & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76  # the version
    number = number & ~(0b11 << 62) | 0b10 << 62  # the variant
    return str(uuid.UUID(int=number))


def content_id(namespace: str, fingerprint: str, ordinal: int) -> str:
    """The id of a document without a name: the same for the same content, in this place of its like."""
    return str(uuid.uuid5(_ROOT, f"{namespace}\n{fingerprint}\n{ordinal}"))


def fingerprint(document: dict[str, Any]) -> str:
    """32 hexadecimal digits, equal for documents that say the same in another order of keys."""
    encoded = msgspec.json.encode(_sorted(document))
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: list(item.items()) if key in _ORDERED and isinstance(item, dict) else _sorted(item)
        for key, item in sorted(value.items())
    }
