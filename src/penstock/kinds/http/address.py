"""The address of a request: checked, completed, and masked for people to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus, urlencode, urlsplit

from penstock.core.errors import NodeError
from penstock.core.payload import Payload, to_json

_USERINFO: Final = re.compile(r"(?:(?<=//)|^)[^/?#]*@")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_SECRET: Final = re.compile(
    r"token|secret|passw|pwd|signature|credential|api[_-]?key|access[_-]?key|auth(?!or)|jwt"
    r"|(?:^|[_.-])(?:key|sig|sid|session|otp)$",
    re.IGNORECASE,
)
_MASK: Final = "***"
_SHOWN: Final = 300
"""Characters of an address that people get to read."""


def masked(url: str) -> str:
    """The address without its secrets: user and password, and values named like one.

    Values stand in the query or, as some logins have it, in the fragment.
    """
    url = _USERINFO.sub(f"{_MASK}@", url)
    head, hash_mark, fragment = url.partition("#")
    head, mark, query = head.partition("?")
    shown = f"{head}{mark}{_masked_pairs(query)}{hash_mark}{_masked_pairs(fragment)}"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _masked_pairs(text: str) -> str:
    return "&".join(map(_masked_pair, text.split("&")))


def _masked_pair(pair: str) -> str:
    name, mark, value = pair.partition("=")
    return f"{name}={_MASK}" if value and mark and _SECRET.search(unquote_plus(name)) else pair


def complete(url: str, query: Mapping[str, Payload] | None) -> str:
    """The address with these query values added. Raises NodeError for one that cannot be used.

    A list gives its name once for each item; a value that is None is left out.
    """
    check(url)
    if query is not None and not isinstance(query, dict):
        message = f"`query` is a mapping, but a payload of type `{type(query).__name__}` arrived"
        raise NodeError(message, code="http.query", remedy="send name → value to the port `query`")
    pairs = [(name, _text(item)) for name, value in (query or {}).items() for item in _items(value)]
    if not pairs:
        return url
    base, mark, fragment = url.partition("#")
    joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return f"{base}{joint}{urlencode(pairs, errors='surrogateescape')}{mark}{fragment}"


def _items(value: Payload) -> list[Payload]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Payload) -> str | bytes:
    return value if isinstance(value, str | bytes) else to_json(value)


def check(url: Payload) -> None:
    """Refuse what HTTP cannot reach. Raises NodeError `http.url`."""
    if not isinstance(url, str) or not url:
        raise _refused("no address", "give the node a `url`, in its config or over a link")
    if _UNPRINTABLE.search(url):
        raise _refused(
            f"`{masked(url)!r}` has a space or a control character in it",
            "write a space as %20; look for a line break at the end of what was read from a file",
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port is read because that may raise
    except ValueError:
        # Not shown: a password with a slash in it would pass for a port and a path.
        raise _refused(
            "the host or the port of the address is broken",
            "check both; in a user's name or password write / as %2F, and @ as %40",
        ) from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise _refused(
            f"`{masked(url)}` is not an address that HTTP can reach",
            "write it in full, with the scheme and the host: https://example.com/path",
        )


def _refused(message: str, remedy: str) -> NodeError:
    return NodeError(message, code="http.url", remedy=remedy)
