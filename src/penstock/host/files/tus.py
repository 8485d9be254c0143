"""The words of tus 1.0.0, the protocol of uploads that can be resumed (https://tus.io).

Of its extensions: creation, creation-with-upload, expiration, checksum and termination.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from penstock.host.files.upload import Upload

VERSION: Final = "1.0.0"
CONTENT: Final = "application/offset+octet-stream"
EXTENSIONS: Final = "creation,creation-with-upload,expiration,checksum,termination"
CHECKSUM_MISMATCH: Final = 460

_HASHES: Final[dict[str, Callable[[], Any]]] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_LARGEST: Final = 1 << 53

Pairs = tuple[tuple[str, str], ...]


class Checksum(NamedTuple):
    """What the bytes of one request must have as their digest."""

    hasher: Any
    wanted: bytes

    def require(self) -> None:
        """Raise Refused with status 460 when it is another one."""
        if self.hasher.digest() != self.wanted:
            raise Refused(
                CHECKSUM_MISMATCH,
                "what came is not what the checksum says; it was thrown away",
                kind="checksum-mismatch",
                remedy="send this piece again, from the same offset",
            )


def speaks(headers: Headers) -> bool:
    """Whether a request is one of this protocol."""
    return "tus-resumable" in headers


@contextmanager
def spoken(headers: Headers) -> Iterator[None]:
    """Within it, a request of this protocol is answered, refusals included.

    Raises Refused with status 412 for one of another version, or of none.
    """
    own = (("Tus-Resumable", VERSION),)
    if headers.get("tus-resumable") != VERSION:
        text = f"this host speaks version {VERSION} of tus"
        raise Refused(412, text, kind="tus-version", headers=(*own, ("Tus-Version", VERSION)))
    try:
        yield
    except Refused as refused:
        refused.headers = (*refused.headers, *own)
        raise


def options(most: int) -> Pairs:
    """The headers that say what this host can do. most: bytes of a file."""
    return (
        ("Tus-Resumable", VERSION),
        ("Tus-Version", VERSION),
        ("Tus-Extension", EXTENSIONS),
        ("Tus-Checksum-Algorithm", ",".join(_HASHES)),
        ("Tus-Max-Size", str(most)),
    )


def state(upload: Upload) -> Pairs:
    """The headers that say how far an upload is."""
    return (
        ("Tus-Resumable", VERSION),
        ("Upload-Offset", str(upload.offset_bytes)),
        ("Upload-Expires", formatdate(upload.expires, usegmt=True)),
    )


def facts(upload: Upload) -> Pairs:
    """The headers that say what it is."""
    length = () if upload.size_bytes is None else (("Upload-Length", str(upload.size_bytes)),)
    named = {"filename": upload.name, "filetype": upload.media_type}
    metadata = ",".join(
        f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in named.items()
    )
    return (*length, ("Upload-Metadata", metadata), ("Cache-Control", "no-store"))


def number(headers: Headers, name: str) -> int:
    """A header that is a number of bytes. Raises Refused with status 400."""
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST):
        raise Refused(400, f"the header {name} is no number of bytes", kind="tus-header")
    return int(text)


def metadata(headers: Headers) -> dict[str, str]:
    """What a client says of a file. Raises Refused with status 400."""
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, headers.get("upload-metadata", "").split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            text = f"the header Upload-Metadata has no text in base64 for `{key[:50]}`"
            raise Refused(400, text, kind="tus-header") from None
    return found


def checksum(headers: Headers) -> Checksum | None:
    """The checksum of a request, if it has one. Raises Refused with status 400."""
    header = headers.get("upload-checksum")
    if header is None:
        return None
    name, _, value = header.partition(" ")
    make = _HASHES.get(name)
    if make is None:
        known = ", ".join(_HASHES)
        raise Refused(400, f"checksums are {known}, not `{name[:50]}`", kind="tus-checksum")
    try:
        return Checksum(make(), base64.b64decode(value.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, "the checksum is no base64", kind="tus-checksum") from None
