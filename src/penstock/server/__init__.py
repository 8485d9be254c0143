"""An HTTP/1.1 server for few words per request: asyncio, and llhttp for the parsing."""

from __future__ import annotations

from penstock.server.messages import Handler, Peer, Request, Response

__all__ = ["Handler", "Peer", "Request", "Response"]
