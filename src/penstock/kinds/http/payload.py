"""Requests as payloads: what a graph gets to see of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.core.errors import RequestRefused
from penstock.core.json_text import JsonError, parse_json
from penstock.core.payload import Payload
from penstock.kinds.http.charset import text_of
from penstock.kinds.http.forms import parse_pairs
from penstock.kinds.http.media_type import FORM, MULTIPART, essence, is_json

if TYPE_CHECKING:
    from penstock.server.messages import Request


JSON_DEPTH: Final = 400
"""So deep may a body of JSON be nested: every kind that looks at it gets along with that."""


def payload_of(request: Request, body: bytes) -> dict[str, Payload]:
    """The request as a mapping.

    path: as it was sent; a router decodes what it finds in there. `body` is there only when
    the request has one. Raises RequestRefused when a part of the request cannot be decoded.
    """
    section, peer = request.section, request.peer
    fields = section.fields.copy()
    for name in section.repeated:
        fields[name] = [*fields[name]]
    target = request.raw_target.decode("latin-1")
    if target.startswith("/"):  # nearly always, and then this is the shortest way
        host = fields.get("host", "")
        path, _, query = target.partition("?")
    else:
        host, path, query = request.host, request.raw_path, request.query
    payload: dict[str, Payload] = {
        "method": request.method,
        "scheme": peer.scheme,
        "host": host,
        "path": path,
        "params": {},
        "query": parse_pairs(query, "the query") if query else {},
        "headers": fields,
        "protocol": "HTTP/1.1" if request.version == "1.1" else f"HTTP/{request.version}",
        "client": peer.host,
    }
    if body:
        payload["body"] = decode_body(body, request.header("content-type"))
    return payload


def decode_body(data: bytes, content_type: str) -> Payload:
    """The payload that a body says. Raises RequestRefused when it does not say what it claims.

    JSON becomes data, forms become mappings, and text becomes text; anything else, and what
    has no content type, stays bytes.
    """
    kind = essence(content_type)
    if is_json(kind):
        try:
            return parse_json(data, depth=JSON_DEPTH)
        except JsonError as error:
            raise RequestRefused(400, f"the body is not JSON: {error}") from error
    if kind == FORM:
        return parse_pairs(text_of(data, "", "the form"), "the form")
    if kind == MULTIPART:
        from penstock.kinds.http.multipart import parse_multipart

        return parse_multipart(data, content_type)
    if kind.startswith("text/"):
        return text_of(data, content_type, "the body")
    return data
