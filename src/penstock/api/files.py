"""Files of runs, and uploads, on the wire."""

from __future__ import annotations

import msgspec

from penstock.api.times import Moment


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run. name: with its side, `in/report.pdf` or `out/report.pdf`. links: self."""

    name: str
    size_bytes: int
    media_type: str = "application/octet-stream"
    modified: Moment | None = None
    links: dict[str, str] = {}


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was, or is being, uploaded; a launch names it as `upload:ID`.

    offset_bytes: how much of it has come. sha256: the digest of all of it, in hexadecimal, when
    that has come. expires: when it is thrown away if no run took it. size_bytes: of all
    of it, as it was announced.
    """

    id: str
    name: str = ""
    size_bytes: int = 0
    offset_bytes: int = 0
    media_type: str = "application/octet-stream"
    sha256: str = ""
    expires: Moment | None = None
    links: dict[str, str] = {}

    @property
    def reference(self) -> str:
        """What the inputs of a launch call it."""
        return f"upload:{self.id}"
