"""An HTTP/1.1 server on asyncio and llhttp, without a framework between socket and handler."""

from __future__ import annotations

from penstock.server.limits import Limits
from penstock.server.messages import Handler, Peer, Request, Response
from penstock.server.problem import problem
from penstock.server.server import Server
from penstock.server.tls import tls_context
from penstock.server.websocket import WebSocket

__all__ = [
    "Handler",
    "Limits",
    "Peer",
    "Request",
    "Response",
    "Server",
    "WebSocket",
    "problem",
    "tls_context",
]
