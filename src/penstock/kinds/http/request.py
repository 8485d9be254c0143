"""The kind that sends a request."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from msgspec import Meta

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.context import NodeContext
from penstock.engine.kind import Action, FieldError, Inputs, Outputs, field
from penstock.kinds.http.address import check, complete, masked
from penstock.kinds.http.body import Decode, decode, encode
from penstock.kinds.http.failures import status_failure, told
from penstock.kinds.http.session import Tls, environment_proxy, open_session

if TYPE_CHECKING:
    import aiohttp

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
"""What RFC 9110 lets methods and names of headers consist of."""
_BREAK: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_LARGE: Final = 2**20
"""Bytes from which on a body is sent piece by piece, so that other runs get their turn."""
_NOT_REPEATABLE: Final = frozenset({"POST", "PATCH"})
"""Methods that HTTP does not let a client repeat without more ado."""


class HttpRequest(Action, kind="http.request", aliases=("http",)):
    """Send an HTTP request, and pass on what comes back.

    Config of the request, each also an in-port of the same name: url, method (default GET),
    headers, query (a list gives its name several times; null is left out) and body. A body of
    text or bytes goes as it is. Anything else goes as JSON, or as a form when the header
    Content-Type is `application/x-www-form-urlencoded`.

    Config of the answer: decode is `auto` (the default: text types, JSON among them, become
    text, all else bytes), `text`, `bytes`, or `json` (the data that the body says; an empty
    body is null). fail_on_status (default true) fails for a status of 400 or above.
    max_size_bytes (default 64 MiB) bounds the body, after decompression.

    Config of the connection: follow_redirects (default true), max_redirects, tls (verify, ca,
    cert, key), proxy (else HTTP_PROXY, HTTPS_PROXY and NO_PROXY hold), connect_timeout
    (default 30s), read_timeout (the longest silence, default 5m), max_connections. Connections
    are kept open across runs; cookies are not kept. `timeout`, as on every node, bounds the whole.

    idempotency_key (default true): a POST or PATCH carries a header Idempotency-Key, which is
    the same for every attempt, so that the server can tell a repetition from a new request.
    Where traces are made, the header `traceparent` goes along.

    Ports: url, method, headers, query, body → status, body, headers. Header names are in lower
    case; `set-cookie` is a list. `in` only says when: its payload is not used.

    Errors: `http.status` (details: status, url, body), `http.connect`, `http.connection`,
    `http.tls`, `http.timeout`, `http.redirects`, `http.size`, `http.decode`, `http.url`,
    `http.headers`, …. Users, passwords and query values that look like secrets are masked in
    messages and errors, which never show a header.

    Example:
        flow: zen
        inputs: {url: {type: string, format: uri}}
        nodes:
          - {kind: http.request, name: fetch, retry: {attempts: 3}, links: {body: log.message}}
          - {kind: debug.log, name: log}
    """

    url: str | None = None
    method: str = "GET"
    headers: dict[str, str | int | float] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Payload = None

    decode: Decode = "auto"
    fail_on_status: bool = True
    max_size_bytes: Annotated[int, Meta(ge=0)] = 64 * 1024 * 1024

    follow_redirects: bool = True
    max_redirects: Annotated[int, Meta(ge=1, le=100)] = 10
    tls: Tls = Tls()
    proxy: str | None = None
    connect_timeout: Duration = Duration(seconds=30)
    read_timeout: Duration = Duration(minutes=5)
    max_connections: Annotated[int, Meta(ge=1)] = 100
    idempotency_key: bool = True

    _session: Any = field(init=False, default=None)

    in_ports: ClassVar[Ports] = {
        "in": Port(doc="when to send; the payload is not used", default=None),
        "url": Port(str, "the address, in full"),
        "method": Port(str, "GET, POST, …", default="GET"),
        "headers": Port(dict, "name → value", default=None),
        "query": Port(dict, "name → value or list of values", default=None),
        "body": Port(doc="text, bytes or data", default=None),
    }
    out_ports: ClassVar[Ports] = {
        "status": Port(int, "200, 404, …"),
        "body": Port(doc="the body, as `decode` says"),
        "headers": Port(dict, "name in lower case → value"),
    }

    def check(self) -> None:
        for name, refuse in (("url", check), ("method", _method), ("proxy", check)):
            try:
                if getattr(self, name) is not None:
                    refuse(getattr(self, name))
            except NodeError as error:
                raise FieldError(name, f"{error.message}; {error.remedy}") from error

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        method = _method(inputs["method"])
        url = complete(inputs["url"], inputs["query"])
        headers, body = self._content(inputs, method, ctx.idempotency_key)
        if (trace := ctx.traceparent) and not any(name.lower() == "traceparent" for name in headers):
            headers["traceparent"] = trace
        ctx.message(f"{method} {masked(url)}")
        with told(method, url):
            async with self._pool().request(
                method,
                url,
                headers=headers,
                data=BytesIO(body) if body and len(body) > _LARGE else body,
                allow_redirects=self.follow_redirects,
                max_redirects=self.max_redirects,
                proxy=self.proxy or environment_proxy(url),
            ) as response:
                data = await self._read(response, f"{method} {masked(url)}")
        content_type = response.headers.get("Content-Type", "")
        if self.fail_on_status and response.status >= 400:
            page = decode(data, content_type, "auto")
            raise status_failure(method, url, response.status, response.reason or "", page)
        payload = decode(data, content_type, self.decode)
        return {"status": response.status, "body": payload, "headers": _headers(response)}

    async def unload(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _pool(self) -> aiohttp.ClientSession:
        """The node's connections, opened by the first request: a node may never be reached."""
        if self._session is None:
            self._session = open_session(
                tls=self.tls,
                connect_timeout=self.connect_timeout,
                read_timeout=self.read_timeout,
                max_connections=self.max_connections,
            )
        session: aiohttp.ClientSession = self._session
        return session

    def _content(self, inputs: Inputs, method: str, key: str) -> tuple[dict[str, str], bytes | None]:
        headers = _sendable(inputs["headers"])
        named = {name.lower(): value for name, value in headers.items()}
        body, content_type = encode(inputs["body"], named.get("content-type", ""))
        if body is not None and "content-type" not in named:
            headers["Content-Type"] = content_type
        if self.idempotency_key and method in _NOT_REPEATABLE and "idempotency-key" not in named:
            headers["Idempotency-Key"] = key
        return headers, body

    async def _read(self, response: aiohttp.ClientResponse, request: str) -> bytes:
        """The whole body, unless it is longer than the limit."""
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self.max_size_bytes:
                response.close()
                raise NodeError(
                    f"{request}: the body is longer than {self.max_size_bytes:,} bytes",
                    code="http.size",
                    details={"max_size_bytes": self.max_size_bytes},
                    remedy="raise `max_size_bytes`, or ask the server for less",
                )
            parts.append(part)
        return b"".join(parts)


def _method(payload: Payload) -> str:
    """The method in upper case. Raises NodeError `http.method`."""
    if not isinstance(payload, str) or not _TOKEN.fullmatch(payload):
        raise NodeError(
            f"{payload!r:.60} is no method",
            code="http.method",
            remedy="write GET, POST, PUT or another word",
        )
    return payload.upper()


def _sendable(headers: Payload) -> dict[str, str]:
    """Headers as text. Raises NodeError `http.headers`, which never shows a value."""
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        message = f"`headers` is a mapping, but a payload of type `{type(headers).__name__}` arrived"
        raise NodeError(message, code="http.headers", remedy="send name → value to the port `headers`")
    for name, value in headers.items():
        found = None
        if not _TOKEN.fullmatch(name):
            found = "is no name of a header"
        elif not isinstance(value, str | int | float):
            found = f"is a payload of type `{type(value).__name__}`, not text or a number"
        elif isinstance(value, str) and _BREAK.search(value):
            found = "has a line break or a control character in its value"
        if found is not None:
            raise NodeError(
                f"the header {name!r:.60} {found}",
                code="http.headers",
                remedy="look for a line break at the end of what was read from a file",
            )
    return {name: str(value) for name, value in headers.items()}


def _headers(response: aiohttp.ClientResponse) -> dict[str, Payload]:
    """Repeated headers are one, with commas, as HTTP has it; cookies alone cannot be joined."""
    found: dict[str, Payload] = {}
    for name, value in response.headers.items():
        key = name.lower()
        if key == "set-cookie":
            found.setdefault(key, []).append(value)
        else:
            found[key] = f"{found[key]}, {value}" if key in found else value
    return found
