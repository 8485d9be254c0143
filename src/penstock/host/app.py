"""The application: everything that a host answers, in front of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from penstock.api.problem import Problem
from penstock.host.api import description
from penstock.host.api.routes import routes
from penstock.host.forwarded import Forwarded
from penstock.host.page import routes as page
from penstock.host.problem import answer
from penstock.server.problem import title

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from penstock.host.host import Host


def application(host: Host) -> Starlette:
    """The ASGI application of a host."""
    whole, short = routes(host)
    return Starlette(
        routes=[*whole, *page.routes(host), *description.routes(), *short],
        middleware=[Middleware(Forwarded)],
        exception_handlers={HTTPException: _refused},
    )


async def _refused(request: Request, error: Exception) -> Response:
    """What the router refuses: a path that leads nowhere, or another method."""
    assert isinstance(error, HTTPException)
    detail = {404: "nothing is here", 405: "this is asked for by another method"}
    return answer(
        Problem(
            title=title(error.status_code),
            status=error.status_code,
            detail=detail.get(error.status_code, error.detail),
            remedy="GET /openapi.json tells what there is",
            instance=request.url.path,
        ),
        list((error.headers or {}).items()),
    )
