"""The way to an identity provider, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import RedirectResponse

from penstock.auth.oidc.arrival import welcome
from penstock.auth.oidc.provider import Departure
from penstock.core.errors import EntryNotFound, ProviderError
from penstock.host.access import address_of, agent_of
from penstock.host.api.call import Call
from penstock.host.page.login import within
from penstock.host.page.screen import Screens
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.responses import Response

    from penstock.auth.oidc.provider import IdentityProvider

screens = Screens()

WAY_SECONDS: Final = 600.0
"""Who has not come back after this time begins again."""

_COOKIE: Final = "penstock_oidc"
_PURPOSE: Final = "oidc"


class Way(msgspec.Struct, frozen=True, array_like=True):
    """Where somebody was sent, and where they want to go. It is kept in their browser, sealed.

    departure: what has to fit when they come back. until: epoch seconds.
    """

    provider: str
    departure: Departure
    wanted: str
    until: float


@screens.get("/login/{name}", open=True)
async def depart(call: Call, name: str) -> Response:
    """Send somebody to the provider of this name."""
    provider = _provider(call, name)
    try:
        departure = await provider.depart(_redirect_uri(call, provider))
    except ProviderError as error:
        raise _refused(error) from error
    way = Way(
        name,
        msgspec.structs.replace(departure, url=""),
        within(call.request.query_params.get("next", "")),
        call.host.runtime.clock.now() + WAY_SECONDS,
    )
    response = RedirectResponse(departure.url, 303)
    text = call.host.auth.signing.seal(msgspec.to_builtins(way), purpose=_PURPOSE)
    _keep(call, response, text, seconds=WAY_SECONDS)
    return response


@screens.get("/login/{name}/callback", open=True)
async def arrive(call: Call, name: str) -> Response:
    """Let somebody in who comes back from the provider."""
    provider = _provider(call, name)
    try:
        way = _way(call, name)
        identity = await provider.arrive(
            way.departure,
            redirect_uri=_redirect_uri(call, provider),
            query=dict(call.request.query_params),
        )
        issued = await welcome(
            call.host.auth,
            provider.settings,
            identity,
            address=address_of(call.request),
            agent=agent_of(call.request),
        )
    except ProviderError as error:
        raise _refused(error) from error
    _, headers = await call.host.access.enter(call.request, issued)
    response = RedirectResponse(way.wanted, 303)
    for header, value in headers:
        response.headers.append(header, value)
    _keep(call, response, "", seconds=0)
    return response


def _provider(call: Call, name: str) -> IdentityProvider:
    found = call.host.auth.providers.get(name)
    if found is None:
        raise EntryNotFound(f"nobody logs in through `{name}` here", remedy="go to /login")
    return found


def _way(call: Call, name: str) -> Way:
    """The way that this browser is on. Raises ProviderError when it is on none."""
    text = call.request.cookies.get(_COOKIE, "")
    way = call.host.auth.signing.unseal(text, Way, purpose=_PURPOSE)
    if way is None or way.provider != name or way.until <= call.host.runtime.clock.now():
        raise ProviderError(
            "this login was not begun here, or too long ago", code="state", remedy="log in again"
        )
    return way


def _redirect_uri(call: Call, provider: IdentityProvider) -> str:
    name = provider.settings.name
    return provider.settings.redirect_uri or f"{call.request.base_url}login/{name}/callback"


def _keep(call: Call, response: Response, text: str, *, seconds: float) -> None:
    response.set_cookie(
        _COOKIE,
        text,
        max_age=int(seconds),
        path="/login",
        httponly=True,
        samesite="lax",
        secure=call.request.url.scheme == "https",
    )


def _refused(error: ProviderError) -> Refused:
    """The error as people see it; 401 would send them to the login again, without a word."""
    status = 502 if error.away else 403
    return Refused(status, error.message, kind=f"login-{error.code}", remedy=error.remedy)
