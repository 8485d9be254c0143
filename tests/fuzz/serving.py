"""What `penstock apply` does with a document, and what a runtime makes of it that follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from tests.fuzz.validating import explained

from penstock.core.catalog import Collection, Entry
from penstock.core.errors import DocumentError, EntryNotFound, InputError, StoreConflict
from penstock.core.store import Store
from penstock.engine.catalog.draft import Action, Change
from penstock.engine.catalog.filters import Filter
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.decoding import FAULT
from penstock.engine.kind import Trigger
from penstock.engine.loading import Loader
from penstock.engine.resident.resident import Resident
from penstock.engine.resident.trigger import TriggerContext
from penstock.engine.runtime import Runtime
from penstock.engine.scheme import Scheme
from penstock.store import open_store
from penstock.store.keys import GivenKeys, Key
from penstock.store.vault import Vault
from penstock.testing.clock import FakeClock

REFUSALS: Final = (DocumentError, StoreConflict, EntryNotFound, InputError)
"""What may come of a document that cannot be written."""
FUZZED, CANARY = "default", "canary"
WITHIN_SECONDS: Final = 30.0
"""How long a change may take to be carried out, on a machine that is busy."""

Write = Callable[[], Awaitable[list[Change]]]
Snapshot = dict[tuple[str, str], Entry]


class Bell(Trigger, kind="test.bell"):
    """A trigger that is rung by hand, so that the canary answers without a socket."""

    async def open(self, ctx: TriggerContext) -> None:
        self.ctx = ctx


SINGING: Final = [
    {"kind": "test.bell", "name": "bell", "links": {"out": "song"}},
    {"kind": "snippet", "name": "song", "language": "cel", "code": "'tweet ' + self"},
]


class Served:
    """A store that documents are applied to, and two runtimes that follow it.

    One serves the namespace that is written to. The other serves that of a canary, through a
    connection of its own, and must go on whatever the first has to put up with.
    """

    def __init__(self, store: Store, fuzzed: Resident, canary: Resident) -> None:
        self.store = store
        self.fuzzed = fuzzed
        self.canary = canary
        scheme = fuzzed.runtime.loader.scheme
        self.specs = Specs(store, scheme=scheme)
        self.values = Values(store, vault=Vault(GivenKeys(KEY.text)))
        self.written = self.refused = 0

    async def put(self, write: Write) -> bool:
        """Whether documents were written. Raises AssertionError if it was neither all nor nothing."""
        before, position = await self.everything(), await self.store.position()
        try:
            changes = await write()
        except REFUSALS as refusal:
            if isinstance(refusal, DocumentError):
                explained(refusal)
            str(refusal).encode()
            assert await self.everything() == before, "something is there of what was refused"
            assert await self.store.position() == position, "a refusal is in the change stream"
            self.refused += 1
            return False
        after = await self.everything()
        for change in changes:
            self._find(change, after)
        untouched = before.keys() - {(each.namespace, each.id) for each in changes}
        assert all(after.get(key) == before[key] for key in untouched), "others were changed as well"
        if all(change.action is Action.UNCHANGED for change in changes):
            assert await self.store.position() == position, "what says the same was written again"
        self.written += 1
        await self.followed()
        return True

    async def followed(self) -> None:
        """Return when both runtimes took in all there is; check what became of it."""
        position = await self.store.position()
        for resident in (self.fuzzed, self.canary):
            await _reached(resident, position)
        entries = await self.store.entries(Collection.SPECS, namespace=FUZZED)
        ids = {entry.id for entry in entries}
        reported = {report.id for report in self.fuzzed.reports}
        assert ids <= reported, "a spec has no report"
        # Those of a flow's triggers go by the flow's id, and their number.
        rest = {ident.rpartition("/")[0] for ident in reported - ids}
        assert rest <= ids, "a report is of no spec"
        assert not any(FAULT in report.reason for report in self.fuzzed.reports)

    async def sings(self, word: str) -> bool:
        """Whether the canary still answers."""
        node = self.canary.table.symbols["bell"].node
        assert isinstance(node, Bell)
        async with asyncio.timeout(WITHIN_SECONDS):
            return bool(await node.ctx.start("out", word) == f"tweet {word}")

    async def clear(self) -> None:
        """Delete everything that was written."""
        for shelf in (self.specs, self.values):
            found = await shelf.read()
            ids = [Filter(id=each.id) for each in found if each.namespace != CANARY]
            if ids:
                await shelf.delete(ids)
        await self.followed()
        async with asyncio.timeout(WITHIN_SECONDS):
            await self.fuzzed.table.settled()
        assert not self.fuzzed.table.symbols

    async def everything(self) -> Snapshot:
        """Every live document, by its collection and id."""
        return {
            (entry.namespace, entry.id): entry
            for collection in Collection
            for entry in await self.store.entries(collection)
        }

    def _find(self, change: Change, after: Snapshot) -> None:
        found = after.get((change.namespace, change.id))
        if change.action is Action.DELETED:
            assert found is None, f"{change} is still there"
        else:
            assert found is not None, f"{change} is not there"
            assert found.revision == change.revision
            assert found.name == change.name


async def _reached(resident: Resident, position: int) -> None:
    """Return when a change is carried out. Raises what the loader died of, or TimeoutError."""
    loader = next(
        task
        for task in asyncio.all_tasks()
        if task.get_name() == f"penstock:resident:{resident.namespace}"
    )
    reaching = asyncio.ensure_future(resident.reached(position))
    async with asyncio.timeout(WITHIN_SECONDS):
        await asyncio.wait({loader, reaching}, return_when=asyncio.FIRST_COMPLETED)
    if loader.done():
        reaching.cancel()
        loader.result()
    assert reaching.done(), "the loader ended"


@asynccontextmanager
async def served(url: str, scheme: Scheme) -> AsyncIterator[Served]:
    """A world at this address of a store. Time stands still in it: no schedule ever comes."""
    scheme.add(Bell)
    async with AsyncExitStack() as stack:
        store = open_store(url)
        await store.open()
        stack.push_async_callback(store.close)
        fuzzed = await stack.enter_async_context(_resident(url, FUZZED, scheme))
        canary = await stack.enter_async_context(_resident(url, CANARY, scheme))
        world = Served(store, fuzzed, canary)
        await world.specs.create(SINGING, namespace=CANARY)
        await world.followed()
        assert await world.sings("first")
        yield world


@asynccontextmanager
async def _resident(url: str, namespace: str, scheme: Scheme) -> AsyncIterator[Resident]:
    async with Runtime(open_store(url), loader=Loader(scheme), clock=FakeClock()) as runtime:
        values: Any = Values(runtime.store, vault=Vault(GivenKeys(KEY.text)))
        async with Resident(runtime, namespace, values=values, drain_seconds=1.0) as resident:
            yield resident


KEY: Final = Key.new()
