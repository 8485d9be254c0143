"""How a client reaches its host: the address, who it says it is, and what it trusts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from penstock.client.effects import Ask
from penstock.core.errors import HostAway, SettingsError
from penstock.version import __version__

PREFIX: Final = "/api/v1"
CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 60.0
"""A stream of events that says nothing for so long is cut; its host sends a comment sooner."""


class Connection:
    """What both drivers tell httpx2.

    url: the host's, with a path where it stands behind a proxy. token: who asks. csrf: the token
    of a session, which unsafe requests repeat. timeout: seconds for an answer, besides what the
    host may wait on purpose. Raises SettingsError for an address or a file that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout: float = 30.0,
        ca_file: str | Path | None = None,
        insecure: bool = False,
    ) -> None:
        self.url = checked_url(url)
        self.token = token
        self.csrf = ""
        self._timeout = timeout
        self._ca_file = ca_file
        self._insecure = insecure

    def __repr__(self) -> str:
        """Without the token."""
        return f"Connection({self.url!r})"

    def options(self) -> dict[str, Any]:
        """What an httpx2 client is made with."""
        agent = {"User-Agent": f"penstock/{__version__}"}
        # As many streams of events as one likes may be open at once.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
        return {"base_url": self.url, "headers": agent, "verify": self._trust(), "limits": limits}

    def request(self, ask: Ask, *, events: bool = False) -> dict[str, Any]:
        """What an httpx2 request is made with."""
        headers = {"Accept": "text/event-stream" if events else "application/json", **ask.headers}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.csrf and ask.method not in ("GET", "HEAD"):
            headers["X-CSRF-Token"] = self.csrf
        read = SILENCE_SECONDS if events else self._timeout + ask.wait
        return {
            "method": ask.method,
            "url": PREFIX + ask.path,
            "params": list(ask.query),
            "headers": headers,
            "content": ask.body,
            "timeout": httpx2.Timeout(self._timeout, connect=CONNECT_SECONDS, read=read),
        }

    def away(self, error: httpx2.RequestError, ask: Ask) -> HostAway:
        """What it means that no answer came."""
        match error:
            case httpx2.ConnectTimeout() | httpx2.ConnectError() | httpx2.ProxyError():
                what = f"cannot be reached: {str(error) or 'it does not answer'}"
            case httpx2.TimeoutException():
                what = f"did not answer {ask.method} {ask.path} in time"
            case _:
                what = f"went away before it had answered {ask.method} {ask.path}"
        return HostAway(
            f"the host {self.url} {what}",
            remedy="is it running there (`penstock serve`), and is the address right?",
        )

    def _trust(self) -> ssl.SSLContext | bool:
        if self._insecure or self.url.startswith("http:"):
            return False  # without TLS there is no need to read all the world's certificates
        if self._ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self._ca_file))
        except OSError as error:
            raise SettingsError(
                f"the CA file {self._ca_file} cannot be used: {error}",
                remedy="name a PEM file with the certificates to trust",
            ) from error


def checked_url(text: str) -> str:
    """The address of a host, without a slash at its end. Raises SettingsError when it is none."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL()
    if url.scheme not in ("http", "https") or not url.host or any(map(str.isspace, text)):
        raise SettingsError(
            f"`{text}` is not the address of a host", remedy="write http://HOST:PORT or https://HOST"
        )
    if url.userinfo or url.query or url.fragment:
        raise SettingsError(
            "the address of a host holds more than its scheme, name, port and path",
            remedy="who you are is told by a token: PENSTOCK_TOKEN, or `penstock login URL`",
        )
    return text.rstrip("/")


@contextmanager
def reaching(connection: Connection, ask: Ask) -> Iterator[None]:
    """Within it, an answer that does not come is HostAway, whatever httpx2 makes of it."""
    try:
        yield
    except httpx2.RequestError as error:
        raise connection.away(error, ask) from error
