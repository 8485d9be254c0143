"""Candidates: what somebody submits to release a lock, and the word that carries one to its run."""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from penstock.core.payload import Payload, decode, encode

WORD: Final = "candidate"
"""What a word for a run begins with when it carries a candidate."""


class Candidate(msgspec.Struct, frozen=True):
    """What a flow decides about. value: of the type that the lock asks for, or a payload.

    by: the id of the principal who submitted it; empty when nobody is known. number: which of
    the lock's candidates it is, from 0.
    """

    id: str
    value: Any
    by: str = ""
    number: int = 0


class Submission(msgspec.Struct, frozen=True):
    """A candidate on its way to a lock."""

    lid: str
    id: str
    by: str
    value: Payload

    def to_word(self) -> str:
        """The word for `Store.signal`; it holds no blank but the one behind `candidate`."""
        packed = encode((self.lid, self.id, self.by, self.value))
        return f"{WORD} {base64.b64encode(packed).decode()}"


def read_word(word: str) -> Submission | None:
    """The submission that a word carries, or None for a word of another sort."""
    head, _, text = word.partition(" ")
    if head != WORD:
        return None
    lid, id, by, value = decode(base64.b64decode(text))  # noqa: A001 - the field's word
    return Submission(lid, id, by, value)
