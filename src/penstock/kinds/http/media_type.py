"""Media types: what a Content-Type says."""

from __future__ import annotations

import re
from typing import Final

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"
MSGPACK: Final = frozenset({"application/msgpack", "application/vnd.msgpack", "application/x-msgpack"})

_PARAMETER: Final = re.compile(r';\s*([^\s;=]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


def essence(content_type: str) -> str:
    """The type without its parameters, in lower case: `text/html` of `Text/HTML; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def parameter(content_type: str, name: str) -> str:
    """A parameter, by its name in lower case; empty when it is not there."""
    for found in _PARAMETER.finditer(content_type):
        if found[1].lower() == name:
            value = found[2].strip()
            if value.startswith('"') and value.endswith('"') and len(value) > 1:
                return re.sub(r"\\(.)", r"\1", value[1:-1])
            return value
    return ""


def is_json(kind: str) -> bool:
    """Whether an essence means JSON text: `application/json`, or anything with `+json`."""
    return kind == JSON or kind.endswith("+json")
