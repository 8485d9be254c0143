"""The door: where a host listens, and how clients come in and go."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, Self

import msgspec

from penstock.core.errors import SettingsError
from penstock.host.app import application
from penstock.server.asgi.application import AsgiHandler
from penstock.server.limits import Limits
from penstock.server.server import Server
from penstock.server.tls import tls_context

if TYPE_CHECKING:
    import ssl

    from penstock.host.host import Host

LIMITS: Final = Limits(body_bytes=None)
"""Of the server. How long a body may be depends on what is asked: each operation has its own limit."""

_COMPRESS_FROM: Final = 1024


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen. cert, key: PEM files; without them clients come in plain HTTP.

    insecure: plain HTTP is meant, even where others than this machine can reach it.
    """

    host: str = "127.0.0.1"
    port: int = 8370
    cert: str = ""
    key: str = ""
    insecure: bool = False

    @property
    def secure(self) -> bool:
        return bool(self.cert)

    def check(self) -> None:
        """Raise SettingsError where passwords and tokens would cross a network in plain text."""
        if not (self.secure or self.insecure or _is_loopback(self.host)):
            raise SettingsError(
                f"`{self.host}` can be reached by other machines, and without TLS they would send "
                "their passwords and tokens in plain text",
                remedy="give --tls-cert and --tls-key, or --insecure if something in front speaks TLS",
            )

    def context(self) -> ssl.SSLContext | None:
        """The TLS settings, or None. Raises ListenError."""
        return tls_context(self.cert, self.key or None) if self.secure else None


class Door:
    """Lets clients in to a host, from `async with` to its end.

    drain_seconds: how long what was begun may go on at the end.
    """

    def __init__(self, host: Host, address: Address, *, drain_seconds: float = 10.0) -> None:
        address.check()
        self._host = host
        self._address = address
        self._drain_seconds = drain_seconds
        self._handler = AsgiHandler(application(host))
        self._server = Server(
            self._handler,
            clock=host.runtime.clock,
            limits=LIMITS,
            tls=address.context(),
            compress_from_bytes=_COMPRESS_FROM,
        )

    async def __aenter__(self) -> Self:
        """Raises ListenError."""
        await self._handler.startup()
        try:
            await self._server.bind(self._address.host, self._address.port)
        except BaseException:
            await self._server.close()
            await self._handler.shutdown()
            raise
        self._handler.server = self._server.addresses[0]
        await self._server.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._host.retire()
        try:
            await self._server.drain(self._drain_seconds)
        finally:
            await self._handler.shutdown()

    @property
    def urls(self) -> list[str]:
        """Where clients find the host."""
        scheme = "https" if self._address.secure else "http"
        return [
            f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            for host, port in self._server.addresses
        ]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
