"""Requests out of the bytes of one connection."""

from __future__ import annotations

import re
import sys
from typing import Final, Protocol

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from penstock.core.errors import RequestRefused
from penstock.server.body import Body
from penstock.server.limits import Limits
from penstock.server.messages import Peer, Request, Section

_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]{0,5})?")
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}


class Hearer(Protocol):
    """Whoever is told what the reader finds."""

    def arrived(self, request: Request) -> None:
        """A request has come; its body may be on its way still."""

    def upgrading(self, request: Request, rest: bytes) -> None:
        """A request asks for a websocket; `rest` came after it."""

    def body_wanted(self) -> None:
        """The handler asks for a body that the client keeps back until it is told to go on."""

    def body_taken(self) -> None:
        """The handler took a piece of a body."""


class RequestReader:
    """Parses what a client sends, and holds it to the limits. llhttp does the grammar.

    unparsed: bytes since a head or a piece of a body was last complete. body: the one that is
    still coming, of a request that was told of already. begun: whether any request has come.
    """

    __slots__ = (
        "_advanced",
        "_chunks",
        "_hearer",
        "_left",
        "_limits",
        "_modest_bytes",
        "_pairs",
        "_parser",
        "_peer",
        "_request",
        "_section",
        "_target",
        "_upgrading",
        "begun",
        "body",
        "unparsed",
    )

    def __init__(self, hearer: Hearer, limits: Limits, peer: Peer) -> None:
        self.begun = False
        self.body: Body | None = None
        self.unparsed = 0
        self._hearer = hearer
        self._limits = limits
        self._modest_bytes = min(limits.head_bytes, limits.target_bytes)  # no head of these is too large
        self._peer = peer
        self._left = sys.maxsize if limits.requests is None else limits.requests
        self._section = Section()
        self._target = b""
        self._pairs: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._request: Request | None = None
        self._advanced = False
        self._upgrading = False
        self._parser = HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Take what came. Raises RequestRefused, after which there is nothing more to read."""
        self.unparsed += len(data)
        self._advanced = False
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
            return
        except HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except HttpParserError as error:
            raise RequestRefused(400, f"this is not HTTP/1.1: {error}") from error
        if self._advanced:
            self.unparsed = 0
        elif self.unparsed > self._limits.head_bytes:
            self._refuse_head()
        if self._request is not None:
            self._begin_body(self._request)

    def retire(self) -> None:
        """The next request is the last one."""
        self._left = 0

    def release(self) -> None:
        """Let go of the parser, which holds on to the reader."""
        del self._parser

    # What llhttp calls, in this order.

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        version = parser.get_http_version()
        self._left -= 1
        section = self._section
        if version != "1.1" or self.unparsed > self._modest_bytes or self._pairs != section.lines:
            section = self._checked(version)
        method = parser.get_method()
        request = Request(
            _METHODS.get(method) or method.decode(), self._target, section, b"", version, self._peer
        )
        request.keep_alive = self._left > 0 and parser.should_keep_alive()
        self._upgrading = parser.should_upgrade()
        self._request = request
        self._target, self._pairs = b"", []
        self._advanced = self.begun = True

    def on_chunk_header(self) -> None:
        if self._request is not None and not self._chunks:
            _check_chunked(self._request)

    def on_body(self, data: bytes) -> None:
        self._advanced = True
        if self.body is None:
            self._chunks.append(data)
        else:
            self.body.feed(data)

    def on_message_complete(self) -> None:
        self._advanced = True
        if self._pairs:  # trailers
            self._pairs = []
        request = self._request
        if request is None:
            if self.body is not None:
                self.body.finish()
                self.body = None
        elif not self._upgrading:
            self._request = None
            if self._chunks:
                self._take_body(request)
            self._hearer.arrived(request)

    # Heads.

    def _checked(self, version: str) -> Section:
        """The section of a head that says something new, or other things than those in a section."""
        limits = self._limits
        if len(self._pairs) > limits.header_count:
            raise RequestRefused(431, f"there are more than {limits.header_count} headers")
        # What was read at once may hold more than this head, so `unparsed` does not tell.
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._pairs)
        if len(self._target) > limits.target_bytes or size > limits.head_bytes:
            self._refuse_head()
        if version != "1.1" and version != "1.0":
            raise RequestRefused(505, "HTTP/1.1 and HTTP/1.0 are spoken here")
        self._check_host(version)
        section = Section(self._pairs)
        if version == "1.1":  # of which more is asked: what is good for 1.0 may not do for the next
            self._section = section
        return section

    def _refuse_head(self) -> None:
        limits = self._limits
        if len(self._target) > limits.target_bytes:
            raise RequestRefused(414, f"the target is longer than {limits.target_bytes} bytes")
        raise RequestRefused(431, f"the headers are larger than {limits.head_bytes} bytes")

    def _check_host(self, version: str) -> None:
        hosts = [value for name, value in self._pairs if len(name) == 4 and name.lower() == b"host"]
        if len(hosts) > 1:
            raise RequestRefused(400, "there is more than one header Host")
        if not hosts:
            if version == "1.1":
                raise RequestRefused(400, "the header Host is missing")
        elif not _HOST.fullmatch(hosts[0].rstrip(b" \t")):
            raise RequestRefused(400, "the header Host names no host")

    # Bodies.

    def _take_body(self, request: Request) -> None:
        """A body that came together with its head."""
        chunks, self._chunks = self._chunks, []
        whole = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        limit = self._limits.body_bytes
        if limit is not None and len(whole) > limit:
            raise RequestRefused(413, f"the body is larger than {limit} bytes")
        if any(len(name) == 16 and name.lower() == b"content-encoding" for name, _ in request.headers):
            body = self._body_of(request)
            body.feed(whole)
            body.finish()
        else:
            request.body_now = whole

    def _begin_body(self, request: Request) -> None:
        """A body of which some is still to come."""
        self._request = None
        if request.header("transfer-encoding"):
            _check_chunked(request)
        limit, length = self._limits.body_bytes, request.header("content-length")
        if limit is not None and length and int(length) > limit:
            raise RequestRefused(413, f"the body is larger than {limit} bytes")
        body = self._body_of(request)
        for chunk in self._chunks:
            body.feed(chunk)
        self._chunks = []
        self.body = body
        self._hearer.arrived(request)

    def _body_of(self, request: Request) -> Body:
        expects = request.header("expect").lower()
        if expects and expects != "100-continue":
            raise RequestRefused(417, "of expectations, only 100-continue is known")
        coding = request.header("content-encoding")
        body = Body(
            limit_bytes=self._limits.body_bytes,
            coding="" if coding.strip().lower() == "identity" else coding,
            expecting=bool(expects) and request.version == "1.1",
            on_wanted=self._hearer.body_wanted,
            on_taken=self._hearer.body_taken,
        )
        request.attach(body)
        return body

    # Upgrades.

    def _upgrade(self, rest: bytes) -> None:
        """llhttp stops where another protocol may begin. We speak one of those."""
        request, self._request = self._request, None
        assert request is not None
        self._upgrading = False
        self.unparsed = 0
        if request.method == "CONNECT":
            raise RequestRefused(501, "this server is no proxy")
        has_body = request.header("transfer-encoding") or request.header("content-length", "0") != "0"
        if request.wants_websocket and not has_body:
            self._hearer.upgrading(request, rest)
            return
        # Any other upgrade is an offer that may be ignored, and llhttp has not read the body:
        # the same request again, without the offer.
        self._parser = HttpRequestParser(self)
        self._left += 1
        self.feed(_head_without(b"upgrade", request) + rest)


def _check_chunked(request: Request) -> None:
    """`gzip, chunked` is allowed by the grammar, but not known here."""
    if request.version == "1.0":
        raise RequestRefused(400, "HTTP/1.0 has no Transfer-Encoding")
    if request.header("transfer-encoding").strip().lower() != "chunked":
        raise RequestRefused(501, "of transfer codings, only chunked is known")


def _head_without(header: bytes, request: Request) -> bytes:
    lines = [f"{request.method} {request.target} HTTP/{request.version}".encode("latin-1")]
    lines += [name + b": " + value for name, value in request.headers if name.lower() != header]
    return b"\r\n".join((*lines, b"", b""))
