"""The screens with which people log in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse

from penstock.host.api.call import Call
from penstock.host.api.submitted import read_form
from penstock.host.page.rendering import render
from penstock.host.page.screen import Screens
from penstock.host.problem import Refused, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from penstock.api.problem import Problem

screens = Screens()


@screens.get("/login", open=True)
async def show_login(call: Call) -> Response:
    return _login(call, wanted=call.request.query_params.get("next", ""))


@screens.post("/login", open=True)
async def log_in(call: Call) -> Response:
    """Log in with a name and a password, or with a token."""
    form = await read_form(call)
    name, wanted = str(form.get("name", "")), str(form.get("next", ""))
    access = call.host.access
    try:
        if "token" in form:
            _, headers = await access.log_in_with_token(call.request, str(form["token"]).strip())
        else:
            _, headers = await access.log_in(call.request, name, str(form.get("password", "")))
    except Refused as error:
        problem = problem_of(error, call.request.url.path)
        return _with(_login(call, wanted=wanted, name=name, problem=problem), error.headers)
    return _with(RedirectResponse(within(wanted), 303), headers)


@screens.post("/logout", open=True)
async def log_out(call: Call) -> Response:
    headers = await call.host.access.log_out(call.request, call.principal)
    return _with(RedirectResponse("/login", 303), headers)


def _login(call: Call, *, wanted: str, name: str = "", problem: Problem | None = None) -> Response:
    return render(
        "login.html",
        call,
        status=200 if problem is None else problem.status,
        next=within(wanted),
        name=name,
        problem=problem,
        providers=[each.settings for each in call.host.auth.providers.values()],
    )


def within(wanted: str) -> str:
    """Where to go after the login: a path of this host, whatever somebody put into a link."""
    parts = urlsplit(wanted)
    safe = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc
    return wanted if safe and wanted.isprintable() and "\\" not in wanted else "/flows"


def _with(response: Response, headers: Iterable[tuple[str, str]]) -> Response:
    for name, value in headers:
        response.headers.append(name, value)
    return response
