"""Bodies: payloads into what a request sends, and what a response brings into payloads."""

from __future__ import annotations

import codecs
from typing import Final, Literal
from urllib.parse import urlencode

from penstock.core.errors import NodeError
from penstock.core.json_text import JsonError, parse_json
from penstock.core.payload import Payload, to_json
from penstock.kinds.http.media_type import FORM, essence, parameter

Decode = Literal["auto", "text", "bytes", "json"]

_TEXT_TYPES: Final = frozenset(
    {
        "application/json",
        "application/ndjson",
        "application/x-ndjson",
        "application/xml",
        "application/javascript",
        "application/ecmascript",
        "application/graphql",
        "application/sql",
        "application/toml",
        "application/yaml",
        "application/x-yaml",
        FORM,
    }
)


def encode(body: Payload, content_type: str) -> tuple[bytes | None, str]:
    """The bytes to send, and their content type unless the node names one.

    Text and bytes go as they are; everything else as JSON, or as a form when the content
    type says so.
    """
    if body is None:
        return None, content_type
    if isinstance(body, bytes):
        return body, content_type or "application/octet-stream"
    if isinstance(body, str):
        return _text(body, _charset(content_type)), content_type or "text/plain; charset=utf-8"
    if essence(content_type) == FORM and isinstance(body, dict):
        return urlencode(body, doseq=True, errors="replace").encode(), content_type
    return to_json(body), content_type or "application/json"


def _text(body: str, charset: str) -> bytes:
    try:
        return body.encode(charset)
    except UnicodeEncodeError as error:
        raise NodeError(
            f"the body cannot be sent: {charset} has no {body[error.start]!r}",
            code="http.encode",
            remedy="name another charset in the header Content-Type, or send bytes",
        ) from error


def decode(data: bytes, content_type: str, how: Decode) -> Payload:
    """The payload for a response's body. Raises NodeError `http.decode` for broken JSON."""
    if how == "bytes":
        return data
    if how == "text":
        return data.decode(_charset(content_type), "replace")
    if how == "json":
        return _json(data)
    kind = essence(content_type)
    if not kind:
        return _guessed(data)
    if kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml")):
        return data.decode(_charset(content_type), "replace")
    return data or ""


def _json(data: bytes) -> Payload:
    if not data.strip():
        return None
    try:
        return parse_json(data)
    except JsonError as error:
        raise NodeError(
            f"the body is not JSON: {error}",
            code="http.decode",
            details={"line": error.line, "column": error.column, "excerpt": error.excerpt},
            remedy="set `decode: text` and look at what the server sends",
        ) from error


def _guessed(data: bytes) -> Payload:
    """Without a content type, what reads as UTF-8 is text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _charset(content_type: str) -> str:
    """The charset that a content type names, where Python knows it; else UTF-8."""
    try:
        return codecs.lookup(parameter(content_type, "charset") or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
