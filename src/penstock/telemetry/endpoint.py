"""The endpoint for those who look after this process: `/livez`, `/readyz` and `/metrics`.

It has an address of its own, because none of this is for the clients of a listener.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import SettingsError
from penstock.server.messages import Request, Response
from penstock.server.problem import problem

if TYPE_CHECKING:
    from penstock.telemetry.exposition import Exposition
    from penstock.telemetry.health import Health


class Endpoint:
    """Answers requests about the process. `handle` is the handler of a server."""

    def __init__(self, health: Health, exposition: Exposition) -> None:
        self._health = health
        self._exposition = exposition

    def handle(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        if request.path not in ("/livez", "/readyz", "/metrics"):
            return problem(404, "there are /livez, /readyz and /metrics here")
        if request.method not in ("GET", "HEAD"):
            return problem(405, headers=[("Allow", "GET, HEAD")])
        if request.path == "/livez":
            return _json(200, {"status": "alive"})  # the event loop turns, or there is no answer
        if request.path == "/readyz":
            return self._ready()
        text, content_type = self._exposition.text(request.header("accept"))
        return Response(200, [("Content-Type", content_type), ("Cache-Control", "no-store")], text)

    async def _ready(self) -> Response:
        reasons = await self._health.reasons()
        if reasons:
            return _json(503, {"status": "not ready", "reasons": reasons})
        return _json(200, {"status": "ready"})


def _json(status: int, document: dict[str, Any]) -> Response:
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    return Response(status, headers, msgspec.json.encode(document))


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT` or `PORT`, which is one of this machine alone.

    Raises SettingsError.
    """
    host, mark, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if mark else "127.0.0.1"
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise SettingsError(
            f"`{text}` is no address to listen at",
            remedy="write HOST:PORT, such as 127.0.0.1:9464; the host 0.0.0.0 is all of the network",
        )
    return host, int(port)
