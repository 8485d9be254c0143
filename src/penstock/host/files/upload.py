"""What is known of an upload."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

SOURCE: Final = "upload:"
"""What an input begins with that names an upload."""

_ID_BYTES: Final = 24


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way to a run.

    owner: the id of the principal who uploads it; nobody else finds it. size_bytes: of all of
    it, None while nobody knows. offset_bytes: how much has come. sha256: the digest of all of it,
    when that has come. created, expires: epoch seconds.
    """

    id: str
    owner: str
    name: str
    media_type: str
    created: float
    expires: float
    size_bytes: int | None = None
    offset_bytes: int = 0
    sha256: str = ""

    @property
    def complete(self) -> bool:
        return self.sha256 != ""

    @property
    def source(self) -> str:
        """What the inputs of a launch call it."""
        return f"{SOURCE}{self.id}"


def new_id() -> str:
    """An id that nobody can guess: 192 random bits."""
    return secrets.token_urlsafe(_ID_BYTES)


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be uploaded.

    file_bytes: one file. owner_bytes, owner_count: what waits for its run, of one owner.
    seconds: how long it waits.
    """

    file_bytes: int = 1 << 30
    owner_bytes: int = 10 << 30
    owner_count: int = 1000
    seconds: float = 24 * 3600.0
