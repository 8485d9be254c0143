"""Campaign `applied`: documents and requests to a store that two runtimes follow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from tests.fuzz.fence import fence
from tests.fuzz.mutations import Mutations
from tests.fuzz.scheme import tied_scheme
from tests.fuzz.serving import FUZZED, Served, Write, served
from tests.fuzz.watchdog import Watchdog

from penstock.core.errors import PayloadError
from penstock.core.payload import normalise
from penstock.document.findings import Findings
from penstock.document.reader import examine, examine_data
from penstock.document.source import take_data
from penstock.engine.catalog.draft import Prune
from penstock.engine.catalog.filters import Filter, read_filters

if TYPE_CHECKING:
    from tests.fuzz.report import Report

SING_EVERY: Final = 20
CLEAR_EVERY: Final = 100


def main(folder: Path, *, size_bytes: int, seed: int, url: str = "") -> Report:
    """Apply so many bytes. url: of the store, or empty for a SQLite file in the folder."""
    address = url or f"sqlite:///{folder / 'store.db'}"
    return asyncio.run(_apply(folder, size_bytes, seed, address))


async def _apply(folder: Path, size_bytes: int, seed: int, url: str) -> Report:
    mutations, dog = Mutations(seed), Watchdog(folder)
    async with served(url, tied_scheme()) as world:
        fence(folder)
        while dog.size_bytes < size_bytes:
            raw, write = _next(world, mutations)
            with dog.over(raw):
                await world.put(write)
                if dog.inputs % SING_EVERY == 0:
                    assert await world.sings(str(dog.inputs)), "the canary is silent"
                if dog.inputs % CLEAR_EVERY == 0:
                    await world.clear()
    return dog.report("applied", accepted=world.written)


def _next(world: Served, mutations: Mutations) -> tuple[bytes, Write]:
    """What is written next, as bytes to count and keep, and the way in which it is written."""
    chance = mutations.chance
    if chance.random() < 0.3:
        raw, file = mutations.text(), chance.choice(("file.yaml", "file.json"))
        prune = chance.choice((Prune.NOTHING, Prune.NOTHING, Prune.ORIGIN))
        return raw, lambda: _apply_file(world, raw, file, prune)
    data = mutations.data()
    ways = (
        lambda: _apply_data(world, data),
        lambda: _apply_data(world, data),
        lambda: world.specs.create(data),
        lambda: world.specs.update(data),
        lambda: world.specs.delete(_filters(data)),
        lambda: _apply_values(world, data),
        lambda: world.values.create(data),
        lambda: world.values.update(data),
        lambda: world.values.delete(_filters(data)),
    )
    number = chance.randrange(len(ways))
    return f"{number} {data!r}".encode("utf-8", "surrogatepass"), ways[number]


async def _apply_file(world: Served, raw: bytes, file: str, prune: Prune) -> Any:
    return await world.specs.apply([examine(raw, file=file)], prune=prune)


async def _apply_data(world: Served, data: Any) -> Any:
    return await world.specs.apply([examine_data(data)])


async def _apply_values(world: Served, data: Any) -> Any:
    return await world.values.apply([take_data(data, Findings(), file="values")])


def _filters(data: Any) -> list[Filter]:
    """The filters that a payload says, but never for the canary."""
    try:
        found = read_filters(normalise(data))
    except PayloadError:
        return []
    return [msgspec.structs.replace(one, namespace=FUZZED) for one in found]
