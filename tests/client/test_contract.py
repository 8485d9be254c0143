"""The client and the host speak of the same operations."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from penstock.client import Client
from penstock.client.connection import Connection
from penstock.client.effects import Ask, Effect, Open, Work
from penstock.client.line import Line
from penstock.client.operation import listing, operation
from penstock.client.runs import RunOperations
from penstock.host.api.routes import OPERATIONS

ANY = "ANY"
"""What stands for a name in a path."""

GIVEN: dict[str, Any] = {"source": b"bytes", "value": True, "to": "/nowhere/at/all"}
"""Arguments that cannot be any text."""

ELSEWHERE = {
    # for browsers
    ("GET", "/flows/ANY/form"),
    # for those who watch over a host
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    # what an upload does besides its first request, or need not do
    ("OPTIONS", "/uploads"),
    ("GET", "/uploads/ANY"),
    ("HEAD", "/uploads/ANY"),
    ("POST", "/uploads/ANY"),
    ("PATCH", "/uploads/ANY"),
    ("DELETE", "/uploads/ANY"),
}
"""What a host offers to others than clients."""


def asked() -> Iterator[tuple[str, str]]:
    """Method and path of the first request of each operation of a client and of a run."""
    connection = Connection("http://host.test")
    for cls in (Client, RunOperations):
        for _, found in inspect.getmembers_static(cls):
            if isinstance(found, operation | listing):
                steps = found._steps if isinstance(found, operation) else found._items
                client = SimpleNamespace(_line=Line(), _connection=connection, _handle=None, fid=ANY)
                yield _first(steps(client, **_arguments(steps)))


def _arguments(steps: Any) -> dict[str, Any]:
    _, *parameters = inspect.signature(steps).parameters.values()
    wanted = [each for each in parameters if each.default is inspect.Parameter.empty]
    return {
        each.name: GIVEN.get(each.name, ANY)
        for each in wanted
        if each.kind is not inspect.Parameter.VAR_POSITIONAL
    }


def _first(steps: Any) -> tuple[str, str]:
    """Play the driver until something is asked."""
    effect: Effect = next(steps)
    while isinstance(effect, Work):
        try:
            done = effect.call()
        except OSError:
            done = SimpleNamespace(close=lambda: None)
        effect = steps.send(done)
    ask = effect.ask if isinstance(effect, Open) else effect
    assert isinstance(ask, Ask)
    steps.close()
    return ask.method, ask.path


def offered() -> set[tuple[str, str]]:
    return {(each.method, re.sub(r"{[^}]*}", ANY, each.path)) for each in OPERATIONS}


def test_a_client_asks_for_nothing_that_a_host_does_not_offer() -> None:
    assert set(asked()) - offered() == set()


def test_a_host_offers_nothing_that_a_client_cannot_ask_for() -> None:
    assert offered() - set(asked()) - ELSEWHERE == set()
