"""The description of the API: for programs at `/openapi.json`, for people at `/docs`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from penstock.host.api.openapi import document
from penstock.host.api.operation import JSON
from penstock.host.api.routes import OPERATIONS
from penstock.host.page.rendering import render
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    from starlette.requests import Request


def routes() -> Iterator[Route]:
    """Where the description is. It is the same for everybody, and says nothing of this host."""
    described = document(OPERATIONS, prefix=PREFIX)
    text = msgspec.json.encode(described)

    async def for_programs(_: Request) -> Response:
        return Response(text, media_type=JSON)

    async def for_people(_: Request) -> Response:
        return render("docs.html", None, api=described)

    yield Route("/openapi.json", for_programs)
    yield Route("/docs", for_people)
