"""Text in the charset that a Content-Type names."""

from __future__ import annotations

import codecs
from typing import Final

from penstock.core.errors import RequestRefused
from penstock.kinds.http.media_type import parameter

_REFUSED: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
"""Python calls them encodings; they take very long for some texts, or make no Unicode of others."""


def charset(content_type: str) -> str:
    """The charset that a content type names, by default UTF-8. Raises LookupError for an unknown one."""
    named = parameter(content_type, "charset")
    if not named:
        return "utf-8"
    try:
        name = codecs.lookup(named).name
        if name.replace("_", "-") not in _REFUSED:
            "".encode(name)  # refuses codecs from bytes to bytes, such as `zip`
            return name
    except ValueError as error:
        raise LookupError(named) from error
    raise LookupError(named)


def text_of(data: bytes, content_type: str, what: str) -> str:
    """The text that bytes say. Raises RequestRefused, which calls them `what`."""
    try:
        name = charset(content_type)
        return data.decode(name)
    except LookupError as error:
        raise RequestRefused(415, f"{what} is in a charset that is not known here") from error
    except UnicodeDecodeError as error:
        raise RequestRefused(
            400, f"{what} is not {error.encoding}: look at byte {error.start}"
        ) from error
