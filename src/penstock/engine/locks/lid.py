"""Ids of locks."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

_CHARACTERS: Final = 12


def lid_of(fid: str, place: str, restarts: int = 0) -> str:
    """The id of the lock at a place of a run: 12 characters, the same on every replay.

    restarts: how often the flow has begun anew; its locks are others then. The id is no secret:
    who may see a run may see its locks.
    """
    digest = hashlib.blake2b(f"{fid}\n{place}\n{restarts}".encode(), digest_size=10).digest()
    return base64.b32encode(digest).decode().lower()[:_CHARACTERS]
