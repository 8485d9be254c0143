"""Secrets: texts that came from value documents, kept out of everything that is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

from penstock.core.payload import Error, Payload

MASK: Final = "•••"
"""What stands in the place of a secret."""

SHORTEST: Final = 4
"""Characters of the shortest text that is masked: shorter ones are in every other word."""

_STRUCTURE: Final = frozenset(
    {
        "attempt", "flow", "kind", "level", "many", "port", "retry_of", "revision",
        "restart", "timer", "until",
    }
)  # fmt: skip
"""Fields of events that name parts of the flow, never what travelled through it."""

_OF_LOCK: Final = frozenset({"by", "expires", "id", "lock", "name", "reason", "release_timeout"})
"""The same in events of locks."""

_BY_NAME: Final = frozenset({"inputs", "outputs", "state"})
"""Fields whose keys are names from the flow: only what stands under them is masked."""


class Redactor:
    """Masks the secrets of one flow, also as JSON, Python and URLs would write them.

    What holds no secret is returned as it is, not copied.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        # The longest first: where one secret holds another, none of it stays.
        self._texts = sorted(forms, key=len, reverse=True)
        self._bytes = [text.encode("utf-8", "replace") for text in self._texts]

    def __bool__(self) -> bool:
        return bool(self._texts)

    def joined(self, other: Redactor | None) -> Redactor:
        """One that masks the secrets of both."""
        if not other or set(other._texts) <= set(self._texts):
            return self
        return Redactor([*self._texts, *other._texts])

    def event(self, data: dict[str, Any], *, of_lock: bool = False) -> dict[str, Any]:
        """The data of an event, masked; what a replay finds its way by stays."""
        kept = _OF_LOCK if of_lock else _STRUCTURE
        return {
            name: value if name in kept else self._field(name, value) for name, value in data.items()
        }

    def text(self, text: str) -> str:
        """The text, masked."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def payload(self, value: Payload) -> Payload:
        """The payload, masked at any depth; keys of mappings, too."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is dict:
            items = [(self.text(key), self.payload(item)) for key, item in value.items()]
            kept = all(
                key is old and item is value[old] for (key, item), old in zip(items, value, strict=True)
            )
            return value if kept else dict(items)
        if isinstance(value, list | tuple):
            found = [self.payload(item) for item in value]
            kept = all(new is old for new, old in zip(found, value, strict=True))
            return value if kept else type(value)(found)
        if kind is bytes:
            return self._masked_bytes(value)
        return self._error(value) if kind is Error else value

    def _field(self, name: str, value: Payload) -> Payload:
        if name in _BY_NAME and type(value) is dict:
            return {key: self.payload(item) for key, item in value.items()}
        return self.payload(value)

    def _masked_bytes(self, value: bytes) -> bytes:
        for secret in self._bytes:
            if secret in value:
                value = value.replace(secret, MASK.encode())
        return value

    def _error(self, error: Error) -> Error:
        return Error(
            code=error.code,
            message=self.text(error.message),
            node=error.node,
            details=self.payload(error.details),
            remedy=self.text(error.remedy),
        )


def _forms(secret: str) -> Iterable[str]:
    """How a secret may be written: as it is, line by line, and escaped."""
    import json

    lines = [line.strip() for line in secret.splitlines()] if "\n" in secret else []
    for text in (secret, secret.strip(), *lines):
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield quote(text)
        yield quote(text, safe="")
        yield quote_plus(text)
