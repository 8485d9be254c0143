"""Methods of HTTP, as documents say them."""

from __future__ import annotations

import re
from typing import Final

_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")


def parse_methods(method: str | list[str]) -> list[str]:
    """One method or several, in upper case; `*` is every one. Raises ValueError."""
    methods = [method] if isinstance(method, str) else method
    if not methods:
        raise ValueError("name a method, or write `*` for every one")
    for name in methods:
        if not _METHOD.fullmatch(name):
            raise ValueError(f"`{name}` is no method; write GET, a list such as [GET, POST], or `*`")
    return list(dict.fromkeys(name.upper() for name in methods))
