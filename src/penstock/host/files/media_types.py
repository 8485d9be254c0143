"""What a file is, by its name, and whether a browser may show it.

A page that a flow made, shown as one of this host, could do whatever the host's own pages can.
So nothing that can hold a script is shown: it can be saved, and opened elsewhere.
"""

from __future__ import annotations

import mimetypes
from typing import Final
from urllib.parse import quote

_KNOWN: Final = mimetypes.MimeTypes()  # those of Python, whatever this machine adds
_SHOWN: Final = frozenset(
    {"text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}
)
_PLAYED: Final = ("audio/", "video/")

PROTECTION: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)
"""What a browser is told about every file."""


def media_type(name: str) -> str:
    """What a file is, by the end of its name."""
    found, encoding = _KNOWN.guess_type(name)
    if found is None or encoding is not None:
        return "application/octet-stream"
    return f"{found}; charset=utf-8" if found == "text/plain" else found


def disposition(name: str) -> str:
    """The Content-Disposition of a file: how it is to be treated, and its name (RFC 6266)."""
    kind = media_type(name).partition(";")[0]
    how = "inline" if kind in _SHOWN or kind.startswith(_PLAYED) else "attachment"
    own = name.rpartition("/")[2]
    plain = "".join(
        each if each.isascii() and each.isprintable() and each not in '"\\%' else "_" for each in own
    )
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(own, safe='')}"
