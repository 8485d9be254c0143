"""The reply rule: what a graph answers, as the response that a client gets.

A mapping whose keys are all among status, headers, header and body says a response; an
empty mapping does not. Any other payload is the body, encoded as the client's header
Accept asks. None is 204.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from penstock.core.errors import NodeError, RequestRefused
from penstock.core.payload import Error, Payload, decode, encode
from penstock.kinds.http.charset import charset
from penstock.kinds.http.media_type import FORM, JSON, MSGPACK, essence, is_json
from penstock.kinds.http.negotiation import preferred
from penstock.server.messages import Response

_KEYS: Final = frozenset({"status", "headers", "header", "body"})
_DATA: Final = (JSON, "application/msgpack")
_TEXT: Final = ("text/plain", *_DATA)
_BYTES: Final = ("application/octet-stream", "application/msgpack", JSON)
"""What a client may choose from. No HTML: whoever means it says so, and has escaped the text."""

_NAMED: Final = {
    kind: (
        ("content-type", "text/plain; charset=utf-8" if kind == "text/plain" else kind),
        ("vary", "accept"),
    )
    for kind in {*_DATA, *_TEXT, *_BYTES}
}
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOP_BY_HOP: Final = frozenset(
    {"keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""They are about a connection, and come along where a graph passes on another server's answer."""
_BODILESS: Final = frozenset({204, 205, 304})


class ReplyError(NodeError):
    """An answer that cannot be sent: a mistake in the graph. It shows no value of a header."""

    code = "http.reply"


def is_response(payload: Payload) -> bool:
    """Whether a payload says a response."""
    return type(payload) is dict and bool(payload) and payload.keys() <= _KEYS


def respond(payload: Payload, accept: str) -> Response:
    """The response for what a graph answered; accept: what the client would like.

    Raises ReplyError, which says what is to be mended in the graph, and RequestRefused with
    status 406 when the client wants none of the forms that there are. An `Error` is raised again.
    """
    if payload is None:
        return Response(204)
    if type(payload) is dict and payload and payload.keys() <= _KEYS:
        return _said(payload, accept)
    if type(payload) is Error:
        raise payload.to_exception()
    kind = _negotiated(payload, accept) if accept or type(payload) is not dict else JSON
    return Response(200, _NAMED[kind], _encoded(payload, kind))


def _said(payload: dict[str, Payload], accept: str) -> Response:
    """The response that a mapping says."""
    body = payload.get("body")
    status = payload.get("status")
    if status is None:
        status = 204 if body is None else 200
    elif type(status) is not int or not 200 <= status <= 599:
        raise _mistake(f"the status {status!r:.40} cannot be sent", "answer a number from 200 to 599")
    headers = _headers(payload) if "headers" in payload or "header" in payload else []
    if body is None or status in _BODILESS:
        return Response(status, headers)
    for number, (name, value) in enumerate(headers):
        if name == "content-type":
            data, complete = _as_told(body, value)
            headers[number] = (name, complete)
            return Response(status, headers, data)
    kind = _negotiated(body, accept, failed=status >= 400)
    return Response(status, (*headers, *_NAMED[kind]) if headers else _NAMED[kind], _encoded(body, kind))


def _negotiated(payload: Payload, accept: str, *, failed: bool = False) -> str:
    """The media type for a body that has none. A failure is told in our own, if need be."""
    kind = type(payload)
    offers = _TEXT if kind is str else _BYTES if kind is bytes else _DATA
    if not accept or accept == "*/*":
        return offers[0]
    chosen = preferred(accept, offers)
    if chosen is not None:
        return chosen
    if failed:
        return offers[0]
    raise RequestRefused(406, f"the answer is to be had as {', '.join(offers)}")


def _as_told(body: Payload, content_type: str) -> tuple[bytes, str]:
    """The body in the form that the graph names, and its complete content type.

    Bytes and text go as they are: whoever names a form may have made it, too.
    """
    kind = essence(content_type)
    if type(body) is bytes:
        return body, content_type
    if type(body) is str:
        if kind.startswith("text/") and "charset" not in content_type.lower():
            content_type = f"{content_type}; charset=utf-8"
        return _text(body, content_type), content_type
    if is_json(kind):
        return _encoded(body, JSON), content_type
    if kind in MSGPACK:
        return _encoded(body, "application/msgpack"), content_type
    if kind == FORM and type(body) is dict:
        return urlencode(body, doseq=True, errors="replace").encode(), content_type
    raise _mistake(
        f"a body of type `{type(body).__name__}` has no form as `{content_type:.80}`",
        "answer text or bytes, or leave the header `content-type` out",
    )


def _text(body: str, content_type: str) -> bytes:
    try:
        return body.encode(charset(content_type))
    except LookupError as error:
        raise _mistake(f"`{content_type:.80}` names no charset that is known", "use utf-8") from error
    except UnicodeEncodeError as error:
        remedy = "name utf-8 as the charset, or answer bytes"
        raise _mistake(
            f"the text has a {body[error.start]!r}, which {error.encoding} has not", remedy
        ) from error


def _encoded(body: Payload, kind: str) -> bytes:
    """The body as text, JSON, MessagePack, or as it is."""
    try:
        return _ENCODE[kind](body)
    except UnicodeEncodeError:  # half a surrogate pair, which the stored form replaces
        return _encoded(decode(encode(body)), kind)
    except RecursionError as error:
        raise _mistake("the answer is nested too deeply", "flatten it, or answer text") from error
    except (OverflowError, TypeError) as error:
        raise _mistake(f"the answer has no form as {kind}: {error}", "answer text or bytes") from error


def _headers(payload: dict[str, Payload]) -> list[tuple[str, str]]:
    """The headers that a mapping says, under either name; several values give a header each."""
    found: list[tuple[str, str]] = []
    for field in ("header", "headers"):
        headers = payload.get(field)
        if headers is None:
            continue
        if type(headers) is not dict:
            raise _mistake(
                f"`{field}` is {type(headers).__name__}", "answer a mapping of names to texts"
            )
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise _mistake(
                    f"{name!r:.60} is no name of a header", "look for a space or a line break in it"
                )
            known = name.lower()
            if known not in _HOP_BY_HOP:
                found.extend((known, text) for text in _texts(name, value))
    return found


def _texts(name: str, value: Payload) -> Iterator[str]:
    for item in value if type(value) is list else [value]:
        text = str(item) if type(item) in (int, float) else item
        if type(text) is not str:
            reason = f"the header `{name}` is {type(item).__name__}"
            raise _mistake(reason, "answer text, a number, or a list of texts")
        if not _HEADER_VALUE.fullmatch(text):
            reason = f"the header `{name}` has a line break or another character that no header can have"
            raise _mistake(reason, "strip it, or percent-encode it")
        yield text


def json_of(body: Payload) -> bytes:
    """The JSON that a client gets. Raises ReplyError."""
    try:
        return _JSON.encode(body)
    except (UnicodeEncodeError, RecursionError, OverflowError, TypeError):
        return _encoded(body, JSON)  # which knows what to say of it


def _mistake(message: str, remedy: str) -> ReplyError:
    return ReplyError(message, remedy=remedy)


def _shown(value: Any) -> Any:
    """What a client may read of an error within an answer: its message and details are ours."""
    if type(value) is Error:
        return {"code": value.code}
    raise TypeError(f"no form for `{type(value).__name__}`")


_JSON: Final = msgspec.json.Encoder(enc_hook=_shown)
_ENCODE: Final[Mapping[str, Callable[[Payload], bytes]]] = {
    JSON: _JSON.encode,
    "application/msgpack": msgspec.msgpack.Encoder(enc_hook=_shown).encode,
    "text/plain": str.encode,
    "application/octet-stream": bytes,
}
