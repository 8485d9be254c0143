"""Every operation of a host, and the routes that lead there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from starlette.routing import BaseRoute, Route, WebSocketRoute

from penstock.host.api.accounts import accounts
from penstock.host.api.endpoint import Endpoint
from penstock.host.api.events import EVENTS, EventSocket, events
from penstock.host.api.flows import flows
from penstock.host.api.grants import grants
from penstock.host.api.health import health
from penstock.host.api.locks import locks
from penstock.host.api.operation import Operation
from penstock.host.api.runs import runs
from penstock.host.api.session import session
from penstock.host.api.specs import specs
from penstock.host.api.specs import specs
from penstock.host.page.forms import forms
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    from penstock.host.host import Host

FAMILIES: Final = (flows, forms, runs, locks, session, accounts, grants, specs, health)

OPERATIONS: Final[tuple[Operation, ...]] = tuple(chain.from_iterable(FAMILIES))
"""In the order in which the documentation shows them."""

_RUN: Final = "/runs/{fid}"


def routes(host: Host) -> Iterator[BaseRoute]:
    """A route for each operation; those of a run have a short one as well, without `/runs`."""
    for operation in OPERATIONS:
        yield _route(host, operation, f"{'' if operation.rooted else PREFIX}{operation.path}")
    for operation in OPERATIONS:
        if operation.path.startswith(_RUN):
            yield _route(host, operation, operation.path.removeprefix("/runs"))


def _route(host: Host, operation: Operation, path: str) -> Route:
    endpoint = Endpoint(host, operation)
    return Route(path, endpoint, methods=[operation.method], name=operation.name)
