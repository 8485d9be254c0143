"""Every operation of a host, and the routes that lead there."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Final

from starlette.routing import BaseRoute, Route, WebSocketRoute

from penstock.host.api.accounts import accounts
from penstock.host.api.endpoint import Endpoint
from penstock.host.api.events import EVENTS, EventSocket, events
from penstock.host.api.files import files
from penstock.host.api.flows import flows
from penstock.host.api.grants import grants
from penstock.host.api.health import health
from penstock.host.api.locks import locks
from penstock.host.api.operation import Operation
from penstock.host.api.runs import runs
from penstock.host.api.session import session
from penstock.host.api.specs import specs
from penstock.host.api.uploads import uploads
from penstock.host.page.forms import forms
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from penstock.host.host import Host

FAMILIES: Final = (
    flows, forms, runs, events, locks, files, uploads, session, accounts, grants, specs, health,
)  # fmt: skip

OPERATIONS: Final[tuple[Operation, ...]] = tuple(chain.from_iterable(FAMILIES))
"""In the order in which the documentation shows them."""

_RUNS: Final = "/runs"
_RUN: Final = f"{_RUNS}/{{fid}}"


class Methods:
    """What is at one path: an endpoint for each method."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "HEAD" and method not in self._endpoints:
            method = "GET"
        await self._endpoints[method](scope, receive, send)


def routes(host: Host) -> tuple[list[BaseRoute], list[BaseRoute]]:
    """A route for each path, and the short ones of runs, without the prefix and `/runs`.

    In a short one the first part may be anything, so they have to be behind all others.
    """
    socket = EventSocket(host)
    found: dict[str, dict[str, Endpoint]] = {}
    for operation in OPERATIONS:
        path = f"{'' if operation.rooted else PREFIX}{operation.path}"
        found.setdefault(path, {})[operation.method] = Endpoint(host, operation)
    whole = [_route(path, endpoints) for path, endpoints in found.items()]
    short = [
        _route(path.removeprefix(f"{PREFIX}{_RUNS}"), endpoints)
        for path, endpoints in found.items()
        if path.startswith(f"{PREFIX}{_RUN}")
    ]
    return (
        [*whole, WebSocketRoute(f"{PREFIX}{EVENTS}", socket)],
        [*short, WebSocketRoute(EVENTS.removeprefix(_RUNS), socket)],
    )


def _route(path: str, endpoints: Mapping[str, Endpoint]) -> Route:
    return Route(path, Methods(endpoints), methods=list(endpoints))
