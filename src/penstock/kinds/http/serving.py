"""Serving: what triggers have in common that requests come in by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from penstock.core.duration import Duration
from penstock.engine.clock import SystemClock
from penstock.engine.kind import FieldError, Trigger, field
from penstock.kinds.http.limits import Limits
from penstock.kinds.http.measured import Measured

if TYPE_CHECKING:
    from penstock.engine.resident.trigger import TriggerContext
    from penstock.server.messages import Handler, Request, Response
    from penstock.server.server import Server

_COMPRESS_FROM_BYTES: Final = 1024
"""Less than that fits into one packet anyway."""


class ServerTls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a server shows who it is, and whom it lets in.

    cert, key: PEM files of its certificate, with those between it and the authority, and of its key;
    they are read again when they change. ca: a PEM file of authorities; only clients with a
    certificate of theirs are served.
    """

    cert: str
    key: str
    ca: str | None = None


class Serving(Trigger):
    """A trigger that may have a socket of its own."""

    host: str = "127.0.0.1"
    tls: ServerTls | None = None
    limits: Limits = Limits()
    compress: bool = False
    drain: Duration = Duration(seconds=10)

    _server: Server | None = field(init=False, default=None)

    def check(self) -> None:
        for name in ("head_timeout", "body_timeout", "idle_timeout", "send_timeout"):
            if not getattr(self.limits, name):
                raise FieldError(("limits", name), "it has to be longer than nothing")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, host and port; of port 0, the one that it got."""
        return [] if self._server is None else list(self._server.addresses)

    async def listen(self, port: int) -> None:
        """Take the socket, on which nobody is answered yet. Raises ListenError."""
        from penstock.server.server import Server
        from penstock.server.tls import tls_context

        tls = None if self.tls is None else tls_context(self.tls.cert, self.tls.key, ca=self.tls.ca)
        self._server = Server(
            _not_open,
            clock=SystemClock(),
            limits=self.limits.for_server(),
            tls=tls,
            compress_from_bytes=_COMPRESS_FROM_BYTES if self.compress else None,
        )
        try:
            await self._server.bind(self.host, port)
        except BaseException:
            await self.unload()
            raise

    def origin(self) -> str:
        """The address of its socket as clients write it, such as `http://127.0.0.1:8000`."""
        scheme = "http" if self.tls is None else "https"
        host, port = self.addresses[0]
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def accept(self, ctx: TriggerContext, handler: Handler) -> None:
        """Answer requests."""
        if self._server is not None:
            measured = ctx.observer is not None and ctx.observer.hears("request_done", "requests_open")
            self._server.handler = Measured(ctx, handler) if measured else handler
            await self._server.accept()

    async def close(self) -> None:
        if self._server is not None:
            self._server.retire()

    async def drained(self) -> None:
        if self._server is not None:
            await self._server.drain(self.drain.total_seconds())

    async def unload(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None


def _not_open(request: Request) -> Response:
    raise AssertionError(f"{request!r} came before the trigger was opened")
