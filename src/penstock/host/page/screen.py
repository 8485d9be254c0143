"""Screens: the routes of the page, and what people see when something cannot be done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from penstock.auth import Via
from penstock.core.errors import ClientGone, PenstockError
from penstock.host.api.call import Call
from penstock.host.page.rendering import render
from penstock.host.problem import internal, problem_of, status_of

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from penstock.api.problem import Problem
    from penstock.host.host import Host

LOG: Final = logging.getLogger("penstock.host")

Show = Callable[..., Coroutine[Any, Any, "Response"]]


class Screens:
    """The screens of one file, by path; `post` is what a form of a screen does."""

    def __init__(self) -> None:
        self._declared: list[tuple[str, str, Show, bool]] = []

    def get(self, path: str, *, open: bool = False) -> Callable[[Show], Show]:  # noqa: A002 - as of operations
        return self._declare("GET", path, open)

    def post(self, path: str, *, open: bool = False) -> Callable[[Show], Show]:  # noqa: A002
        return self._declare("POST", path, open)

    def routes(self, host: Host) -> Iterator[Route]:
        for method, path, show, is_open in self._declared:
            yield Route(path, Screen(host, show, method=method, is_open=is_open), methods=[method])

    def _declare(self, method: str, path: str, is_open: bool) -> Callable[[Show], Show]:
        def wrap(show: Show) -> Show:
            self._declared.append((method, path, show, is_open))
            return show

        return wrap


class Screen:
    """One screen, as an ASGI application. Who is not logged in is sent to do so first."""

    def __init__(self, host: Host, show: Show, *, method: str, is_open: bool) -> None:
        self._host = host
        self._show = show
        self._unsafe = method == "POST"
        self._open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except (ClientDisconnect, ClientGone):
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        call: Call | None = None
        path = request.url.path
        try:
            access = self._host.access
            principal = access.principal(request, demanded=False)
            call = Call(self._host, request, principal)
            if self._unsafe and principal.via is not Via.TOKEN:
                await access.require_own_page(request, principal)
            if not (principal.known or self._open or self._host.directory.serves_anyone):
                return _to_login(request)
            return await self._show(call, **request.path_params)
        except PenstockError as error:
            if status_of(error) == 401:
                return _to_login(request)
            if status_of(error) == 500:
                LOG.exception("the page %s failed", path)
            return told(call, problem_of(error, path))
        except Exception:
            LOG.exception("the page %s failed", path)
            return told(call, internal(path))


def told(call: Call | None, problem: Problem) -> Response:
    """A page that says what is wrong, and what to do."""
    return render("problem.html", call, status=problem.status, problem=problem)


def _to_login(request: Request) -> Response:
    wanted = request.url.path if request.method == "GET" else "/"
    if request.url.query and request.method == "GET":
        wanted = f"{wanted}?{request.url.query}"
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)
