"""What the HTTP library raises, as the failures that a flow can tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.kinds.http.address import masked


@contextmanager
def told(method: str, url: str) -> Iterator[None]:
    """Inside, every failure of a request becomes a NodeError that names the request."""
    import aiohttp

    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _failure(error, method, masked(url)) from _speakable(error)


def status_failure(method: str, url: str, status: int, reason: str, body: Payload) -> NodeError:
    """The failure of a request that was answered with a status of 400 or above."""
    details: dict[str, Payload] = {"status": status, "url": masked(url)}
    if isinstance(body, str) and body:
        details["body"] = body[:2000]
    return NodeError(
        f"{method} {masked(url)} was answered with {status} {reason}".rstrip(),
        code="http.status",
        details=details,
        remedy="link the port `error`, or set `fail_on_status: false` and look at the port `status`",
    )


def _speakable(error: Exception) -> Exception | None:
    """The cause to show in a traceback; some of the library's errors hold the whole address."""
    import aiohttp

    return None if isinstance(error, aiohttp.InvalidURL | aiohttp.ClientResponseError) else error


def _failure(error: Exception, method: str, url: str) -> NodeError:
    code, reason, remedy = _described(error)
    return NodeError(f"{method} {url}: {reason}", code=code, details={"url": url}, remedy=remedy)


def _described(error: Exception) -> tuple[str, str, str]:
    """Code, reason and remedy, the most particular case first."""
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError():
            return (
                "http.tls",
                f"the server's certificate is not trusted: {error.certificate_error}",
                "name the authority that signed it in `tls.ca`",
            )
        case aiohttp.ClientSSLError():
            return "http.tls", f"no TLS connection: {error}", "check the scheme, the port and `tls`"
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return (
                "http.timeout",
                "the server took too long to answer",
                "raise `connect_timeout` or `read_timeout`, or give the node a `retry`",
            )
        case aiohttp.ClientConnectorDNSError():
            return "http.connect", f"the host `{error.host}` is not known", "check the host's name"
        case aiohttp.ClientConnectorError():
            return (
                "http.connect",
                f"no connection to {error.host}:{error.port}: {_words(error.os_error)}",
                "check that the server runs and can be reached from here",
            )
        case aiohttp.TooManyRedirects():
            return "http.redirects", "too many redirects", "raise `max_redirects`, or correct `url`"
        case aiohttp.InvalidURL():
            return (
                "http.url",
                "a redirect leads to no address",
                "set `follow_redirects: false`, and look",
            )
        case aiohttp.ClientPayloadError():
            return "http.body", "the body ended early or is damaged", "give the node a `retry`"
        case aiohttp.ClientHttpProxyError():
            return "http.proxy", f"the proxy refused: {error.status} {error.message}", "check `proxy`"
        case aiohttp.ClientResponseError():
            return "http.protocol", f"this is not HTTP: {error.message}", "check the port"
        case aiohttp.ClientError() | OSError():
            return "http.connection", f"the connection broke: {_words(error)}", "give the node a `retry`"
        case _:
            return "http.request", str(error), "check the node's `method`, `headers` and `query`"


def _words(error: BaseException) -> str:
    import os

    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else error.strerror or type(error).__name__
    return str(error) or type(error).__name__
