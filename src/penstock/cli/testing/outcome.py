"""Executing one test, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from penstock.core.duration import format_seconds
from penstock.core.errors import NodeTimeout, PenstockError
from penstock.core.payload import Error
from penstock.document.reader import examine_data
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.loading import Loader
from penstock.engine.resident.resident import Resident
from penstock.engine.resident.symbol import Status
from penstock.engine.runtime import Runtime
from penstock.store import open_store

if TYPE_CHECKING:
    from penstock.cli.testing.suite import Suite
    from penstock.core.payload import Payload
    from penstock.engine.scheme import Scheme


class World(NamedTuple):
    """What every test finds.

    values: the value documents. variables: texts for the templates of all specs.
    limit_seconds: how long a test may take.
    """

    scheme: Scheme
    values: Mapping[str, Payload]
    variables: Mapping[str, str]
    limit_seconds: float


class Outcome(NamedTuple):
    """What came of a test. error: why it failed, or None. seconds: without loading its graph."""

    namespace: str
    test: str
    seconds: float
    error: Error | None = None

    @property
    def passed(self) -> bool:
        return self.error is None


class GivenValues(Values):
    """Values that are given, and kept nowhere."""

    def __init__(self, given: Mapping[str, Payload]) -> None:
        self._given = given

    async def payloads(self, namespace: str) -> dict[str, Payload]:  # noqa: ARG002 - there is one
        return dict(self._given)


async def run_test(suite: Suite, test: str, world: World) -> Outcome:
    """Run a test in a runtime of its own, which keeps nothing: no test sees another one."""
    try:
        async with _resident(suite, test, world) as resident:
            return await _run(resident, test, world)
    except PenstockError as error:
        return Outcome(suite.namespace, test, 0.0, Error.from_exception(error, node=test))


@asynccontextmanager
async def _resident(suite: Suite, test: str, world: World) -> AsyncIterator[Resident]:
    """What serves the graph of a test. Raises PenstockError when there can be none."""
    graph, store = suite.graph(test), open_store("memory:")
    async with Runtime(store, loader=Loader(world.scheme, values=world.values)) as runtime:
        specs = Specs(store, scheme=world.scheme)
        await specs.apply([examine_data(graph, file=test)], namespace=suite.namespace)
        resident = Resident(
            runtime, suite.namespace, values=GivenValues(world.values), env=world.variables
        )
        async with resident:
            yield resident


async def _run(resident: Resident, test: str, world: World) -> Outcome:
    if test not in resident.table.symbols:
        idle = [each for each in resident.reports if each.status is not Status.ACTIVE]
        told = "\n".join(f"  `{each.key}` is {each.status}: {each.reason}" for each in idle)
        raise PenstockError(f"it cannot be run\n{told}")
    entry, error, began = resident.table.entry(test), None, time.perf_counter()
    try:
        async with asyncio.timeout(world.limit_seconds):
            await entry.answer(None)
    except TimeoutError:
        limit = format_seconds(world.limit_seconds)
        error = Error.from_exception(NodeTimeout(f"it took longer than {limit}"), node=test)
    except PenstockError as failure:
        error = Error.from_exception(failure, node=test)
    return Outcome(resident.namespace, test, time.perf_counter() - began, error)
