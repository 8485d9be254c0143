"""The application: everything that a host answers, in front of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute

from penstock.api.problem import Problem
from penstock.host.api import description
from penstock.host.api.routes import routes
from penstock.host.forwarded import Forwarded
from penstock.host.page import routes as page
from penstock.host.page.forms import prefers_html
from penstock.host.page.screen import told
from penstock.host.problem import answer
from penstock.server.problem import title

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from penstock.host.host import Host


def application(host: Host) -> Starlette:
    """The ASGI application of a host."""
    whole, short = routes(host)
    made = Starlette(
        routes=[
            *whole,
            *page.routes(host),
            *description.routes(),
            *short,
            WebSocketRoute("/{path:path}", _no_socket),
        ],
        middleware=[Middleware(Forwarded)],
        exception_handlers={HTTPException: _refused},
    )
    made.router.redirect_slashes = False  # it would lead to whatever host the client has named
    return made


async def _refused(request: Request, error: Exception) -> Response:
    """What the router refuses: a path that leads nowhere, or another method."""
    assert isinstance(error, HTTPException)
    detail = {404: "nothing is here", 405: "this is asked for by another method"}
    problem = _refusal(error.status_code, detail.get(error.status_code, error.detail), request)
    if prefers_html(request):
        return told(None, msgspec.structs.replace(problem, remedy=""))
    return answer(problem, list((error.headers or {}).items()))


async def _no_socket(socket: WebSocket) -> None:
    """Events of runs alone come by websocket."""
    problem = _refusal(404, "nothing is here for a websocket", socket)
    await socket.send_denial_response(answer(problem))


def _refusal(status: int, detail: str, connection: HTTPConnection) -> Problem:
    return Problem(
        title=title(status),
        status=status,
        detail=detail,
        remedy="GET /openapi.json tells what there is",
        instance=connection.url.path,
    )
