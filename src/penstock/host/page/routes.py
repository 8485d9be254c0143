"""Every screen of the page, and its files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from penstock.host.page import flows, locks, login, oidc, runs
from penstock.host.page.rendering import FOLDER

if TYPE_CHECKING:
    from penstock.host.host import Host


def routes(host: Host) -> Iterator[BaseRoute]:
    """The routes of the page; none is below the API's prefix."""
    for family in (login, oidc, flows, runs, locks):
        yield from family.screens.routes(host)
    yield Mount("/static", StaticFiles(directory=FOLDER / "static"))
