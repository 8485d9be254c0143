"""Campaign `requested`: bodies to the workflow that looks after other namespaces, over its listener."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.corpus import ROOT
from tests.fuzz.fence import fence
from tests.fuzz.mutations import Mutations
from tests.fuzz.scheme import tied_scheme
from tests.fuzz.serving import CANARY, Served, served
from tests.fuzz.watchdog import Watchdog

from penstock.core.errors import RequestRefused
from penstock.document.reader import examine_file
from penstock.engine.resident.resident import Resident
from penstock.kinds.http.listener import Listener
from penstock.server.messages import Request, Section

if TYPE_CHECKING:
    from tests.fuzz.report import Report

WORKFLOW: Final = ROOT / "tests" / "document" / "data" / "system.yaml"
TYPES: Final = (
    "application/json", "application/json", "application/json", "application/json; charset=utf-16",
    "application/problem+json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "multipart/form-data", "text/plain", "text/plain; charset=utf-7", "application/octet-stream",
    "nonsense", "",
)  # fmt: skip
METHODS: Final = ("POST", "POST", "PATCH", "PATCH", "GET", "PUT")
"""Without DELETE, which would delete everything, the canary too."""
CLEAR_EVERY: Final = 100


def main(folder: Path, *, size_bytes: int, seed: int) -> Report:
    """Send so many bytes."""
    return asyncio.run(_ask(folder, size_bytes, seed))


async def _ask(folder: Path, size_bytes: int, seed: int) -> Report:
    mutations, dog = Mutations(seed), Watchdog(folder)
    accepted = 0
    async with served(f"sqlite:///{folder / 'store.db'}", tied_scheme()) as world:
        # Beside the canary: the namespace is none that a document of the corpus would name.
        await world.specs.apply([examine_file(WORKFLOW)], namespace=CANARY)
        await world.followed()
        fence(folder)
        while dog.size_bytes < size_bytes:
            raw = mutations.text()
            request = _request(mutations, raw)
            with dog.over(raw):
                accepted += await _answered(world, request)
                if dog.inputs % CLEAR_EVERY == 0:
                    assert await world.sings(str(dog.inputs)), "the canary is silent"
                    await world.clear()
    return dog.report("requested", accepted=accepted)


def _request(mutations: Mutations, raw: bytes) -> Request:
    chance = mutations.chance
    headers = [(b"Host", b"localhost"), (b"Content-Type", chance.choice(TYPES).encode())]
    return Request(chance.choice(METHODS), b"/v1/nodes", Section(headers), raw)


async def _answered(world: Served, request: Request) -> bool:
    """Whether a request was answered well, and the store is as the answer says."""
    before = await world.everything()
    status = await _status(world.canary, request)
    after = await world.everything()
    assert 200 <= status < 500, f"{request!r} was answered with {status}"
    if status >= 400 or request.method == "GET":
        assert after == before, f"{request!r} was answered with {status}, and changed something"
    else:
        await world.followed()
    return status < 400


async def _status(resident: Resident, request: Request) -> int:
    """The status that the listener answers with; what it refuses is answered by its server."""
    node: Any = resident.table.symbols["listener"].node
    assert isinstance(node, Listener)
    try:
        response = node.answer(request)
        return (await response if isinstance(response, Coroutine) else response).status
    except RequestRefused as refusal:
        return refusal.status
