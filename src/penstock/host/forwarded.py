"""Forwarded: who asks, and how, where a proxy on this machine passes requests on."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"
_SECURE: Final = {"http": "https", "ws": "wss"}


class Forwarded:
    """An application that believes what a proxy says of the client.

    Only who connects from this machine is believed: everybody else could say what they like.
    Of several addresses the last one counts, which is what the proxy itself has seen.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is not None and _is_loopback(client[0]):
            for name, value in scope["headers"]:
                if name == _FOR:
                    address = _address(value.rpartition(b",")[2])
                    scope["client"] = (address, 0) if address else client
                elif name == _PROTO and value.strip().lower() == b"https":
                    scope["scheme"] = _SECURE.get(scope["scheme"], scope["scheme"])
        await self._app(scope, receive, send)


def _address(value: bytes) -> str:
    """The address in a part of the header, without a port; empty where there is none."""
    text = value.decode("latin-1").strip()
    for each in (text, text.rpartition(":")[0]):
        try:
            return str(ipaddress.ip_address(each.strip("[]")))
        except ValueError:
            continue
    return ""


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "::1")
