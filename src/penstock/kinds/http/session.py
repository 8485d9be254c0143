"""A node's connections: one pool that lives across runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.version import __version__

if TYPE_CHECKING:
    import ssl

    import aiohttp


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a node trusts a server, and how it shows who it is.

    verify: False trusts every certificate; use it for nothing but trying things out.
    ca: a PEM file of the authorities to trust, instead of the system's.
    cert, key: PEM files of the client's certificate and key; `key` may be part of `cert`.
    """

    verify: bool = True
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """The settings as OpenSSL takes them. Raises NodeError `http.tls`."""
        import ssl

        for name, path in (("ca", self.ca), ("cert", self.cert), ("key", self.key)):
            if path and not os.path.isfile(path):  # noqa: PTH113 - pathlib costs an import
                raise _unusable(f"`tls.{name}` names `{path}`, which is not a file", "check the path")
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert:
                context.load_cert_chain(self.cert, self.key, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise _unusable(
                f"a file that `tls` names cannot be used: {error}",
                "PEM files are expected: a certificate, and its key without a password",
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _no_password() -> str:
    raise ValueError("the key is locked with a password")


def _unusable(message: str, remedy: str) -> NodeError:
    return NodeError(message, code="http.tls", remedy=remedy)


def open_session(
    *, tls: Tls, connect_timeout: Duration, read_timeout: Duration, max_connections: int
) -> aiohttp.ClientSession:
    """A pool of kept-alive connections, without cookies: runs must not share a login."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls.context(), limit=max_connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"penstock/{__version__}"},
        max_field_size=65536,
        max_line_size=65536,
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=connect_timeout.total_seconds(),
            sock_read=read_timeout.total_seconds(),
        ),
    )


def environment_proxy(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for this address."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxies.get(parts.scheme.lower()) or proxies.get("all")
