"""A namespace in memory: kinds that tell what is done with them, and a store to write to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec

from penstock.core.catalog import Collection, Write
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.core.store import Store
from penstock.document.findings import Findings
from penstock.document.reader import examine_data
from penstock.document.source import take_data
from penstock.engine.catalog.filters import Filter
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.kind import Action, Inputs, Outputs, Trigger
from penstock.engine.loading import Loader
from penstock.engine.resident.resident import Resident
from penstock.engine.resident.symbol import Report, Symbol
from penstock.engine.resident.trigger import TriggerContext
from penstock.engine.runtime import Runtime
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore

PATIENCE_SECONDS = 20.0


async def until(holds: Callable[[], object]) -> None:
    """Let others run until something holds, for a while at most."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - there is nothing that would tell
            await asyncio.sleep(0)


class OpenVault:
    """Seals nothing: what is sealed is somebody else's test."""

    def seal(self, content: bytes) -> bytes:
        return content

    def open(self, sealed: bytes) -> bytes:
        return sealed


class World:
    """One namespace of a store, the runtime that serves it, and what happened to its nodes.

    log: `load NAME`, `open NAME`, `close NAME`, `unload NAME`, as they happened.
    """

    def __init__(self, runtime: Runtime, resident: Resident, namespace: str) -> None:
        self.runtime = runtime
        self.resident = resident
        self.namespace = namespace
        self.store = runtime.store
        self.specs = Specs(self.store, scheme=runtime.loader.scheme, clock=runtime.clock)
        self.values = Values(self.store, vault=OpenVault(), clock=runtime.clock)

    async def apply(self, *documents: dict[str, Any]) -> None:
        """Write specs, and wait until the runtime has taken them in."""
        await self.specs.apply([examine_data(list(documents))], namespace=self.namespace)
        await self.caught_up()

    async def specs_only(self, *documents: dict[str, Any]) -> None:
        """The same without waiting for what has gone to be unloaded."""
        await self.specs.apply([examine_data(list(documents))], namespace=self.namespace)
        await self.resident.reached(await self.store.position())

    async def delete_only(self, *names: str) -> None:
        await self.specs.delete([Filter(name=name, namespace=self.namespace) for name in names])
        await self.resident.reached(await self.store.position())

    async def delete(self, *names: str) -> None:
        await self.specs.delete([Filter(name=name, namespace=self.namespace) for name in names])
        await self.caught_up()

    async def value(self, name: str, data: Payload) -> None:
        source = take_data([{"name": name, "data": data}], Findings(), file="values")
        await self.values.apply([source], namespace=self.namespace)
        await self.caught_up()

    async def drop_value(self, name: str) -> None:
        await self.values.delete([Filter(name=name, namespace=self.namespace)])
        await self.caught_up()

    async def broken(self, *documents: dict[str, Any]) -> None:
        """Write specs without the checks of `apply`, as an older Penstock may have."""
        await self.written(*documents)
        await self.caught_up()

    async def written(self, *documents: dict[str, Any]) -> None:
        """The same without waiting for what has gone to be unloaded."""
        writes = []
        for document in documents:
            known = await self.store.entries(
                Collection.SPECS, namespace=self.namespace, keys=[document["name"]]
            )
            writes.append(
                Write(
                    collection=Collection.SPECS,
                    namespace=self.namespace,
                    id=known[0].id if known else f"id-{document['name']}",
                    name=document["name"],
                    content=msgspec.json.encode(document),
                )
            )
        await self.store.write(writes, at=0.0)
        await self.resident.reached(await self.store.position())

    async def caught_up(self) -> None:
        await self.resident.reached(await self.store.position())
        await self.resident.table.settled()

    @property
    def log(self) -> list[str]:
        return LOG

    def told(self) -> list[str]:
        """What happened since the last time that somebody asked."""
        told, LOG[:] = LOG[:], []
        return told

    def hooks(self) -> list[str]:
        """What load and unload hooks are told from now on: `+NAME` and `-NAME`."""
        told: list[str] = []

        async def loaded(symbol: Symbol) -> None:
            told.append(f"+{symbol.key}")

        async def unloading(symbol: Symbol) -> None:
            told.append(f"-{symbol.key}")

        self.resident.table.load_hooks.append(loaded)
        self.resident.table.unload_hooks.append(unloading)
        return told

    def report(self, key: str) -> Report:
        return self.resident.table.reports[key]

    def bell(self, key: str = "bell") -> TriggerContext:
        """The context of an active bell."""
        return BELLS[key]

    async def ring(self, payload: Payload = None, *, bell: str = "bell", port: str = "out") -> Payload:
        return await self.bell(bell).start(port, payload)


LOG: list[str] = []
BELLS: dict[str, TriggerContext] = {}


class Teller(Action):
    """What the kinds of these tests have in common: they tell of their lives."""

    tag: str = ""

    async def load(self) -> None:
        LOG.append(f"load {self.tag}")

    async def unload(self) -> None:
        LOG.append(f"unload {self.tag}")


class Tag(Teller, kind="tag", pure=True):
    def run(self, inputs: Inputs) -> Outputs:
        return {"out": [*(inputs["in"] or []), self.tag]}


class Stubborn(Teller, kind="stubborn", pure=True):
    """Does not load when it is told so."""

    reason: str = ""

    async def load(self) -> None:
        await super().load()
        if self.reason:
            raise RuntimeError(self.reason)

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": [*(inputs["in"] or []), self.tag]}


class Held(Teller, kind="held"):
    """Waits until a test lets it go."""

    async def run(self, inputs: Inputs) -> Outputs:
        self.reached.set()
        await self.free.wait()
        return {"out": [*(inputs["in"] or []), self.tag]}

    async def load(self) -> None:
        await super().load()
        self.reached, self.free = asyncio.Event(), asyncio.Event()


class Note(Action, kind="note"):
    """Tells what arrives, and fails when it is told so."""

    fails: str = ""

    async def run(self, inputs: Inputs) -> Outputs:
        LOG.append(f"note {inputs['in']}")
        if self.fails:
            raise RuntimeError(self.fails)
        return {"out": inputs["in"]}


class Bell(Trigger, kind="bell"):
    """A trigger that a test rings."""

    tag: str = "bell"
    refuses: str = ""
    out_ports: ClassVar[Ports] = {"out": Port(call=True), "other": Port(call=True)}

    async def load(self) -> None:
        LOG.append(f"load {self.tag}")
        if self.refuses:
            raise OSError(self.refuses)

    async def open(self, ctx: TriggerContext) -> None:
        LOG.append(f"open {self.tag}")
        BELLS[ctx.node] = ctx

    async def close(self) -> None:
        LOG.append(f"close {self.tag}")

    async def unload(self) -> None:
        LOG.append(f"unload {self.tag}")


def tag(name: str, to: Any = None, *, tag: str = "", kind: str = "tag", **fields: Any) -> dict[str, Any]:
    links = {"links": {"out": to}} if to else {}
    return {"kind": kind, "name": name, "tag": tag or name, **links, **fields}


def bell(to: Any, name: str = "bell", **fields: Any) -> dict[str, Any]:
    return {"kind": "bell", "name": name, "tag": name, "links": {"out": to}, **fields}


@asynccontextmanager
async def world(
    store: Store | None = None, *, namespace: str = "default", **options: Any
) -> AsyncIterator[World]:
    scheme = standard_scheme()
    scheme.add(Tag, Stubborn, Held, Note, Bell)
    LOG.clear()
    BELLS.clear()
    execution = {name: options.pop(name, None) for name in ("clock", "inspector", "observer")}
    async with Runtime(store or MemoryStore(), loader=Loader(scheme), **execution) as runtime:
        values = Values(runtime.store, vault=OpenVault())
        follow = options.pop("follow", lambda _: None)
        resident = Resident(runtime, namespace, values=values, **options)
        follow(resident)
        async with resident:
            yield World(runtime, resident, namespace)


__all__ = ["Symbol", "World", "bell", "tag", "world"]
