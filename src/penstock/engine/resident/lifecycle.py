"""The lives of symbols: how they are loaded, and what is seen to before they are unloaded.

An instance lives once: one `load`, and one `unload` for each that succeeded. What has begun to
end goes on to its end, even when whoever asked for it is cancelled.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from penstock.engine.kind import Trigger
from penstock.engine.resident.symbol import Stage
from penstock.engine.resident.ways import Ways

if TYPE_CHECKING:
    from penstock.engine.kind import Node
    from penstock.engine.resident.entry import Entry
    from penstock.engine.resident.roots import Roots
    from penstock.engine.resident.symbol import Symbol
    from penstock.engine.resident.trigger import TriggerContext

Hook = Callable[["Symbol"], Awaitable[None]]

PATIENCE_SECONDS: Final = 0.05
"""How long a change waits for triggers that go. Most have nothing under way, and are gone then."""


class Lifecycle:
    """Loads and unloads symbols.

    symbols: those that are active, by key. failed: told of what went wrong at the end of a
    symbol, which ends all the same. drain_seconds: how long processes may go on with a node
    that is to be unloaded, and how long what hangs from `init` or `term` may take.
    """

    def __init__(
        self,
        roots: Roots,
        symbols: dict[str, Symbol],
        *,
        failed: Callable[[str, BaseException], None],
        drain_seconds: float,
    ) -> None:
        self.load_hooks: list[Hook] = []
        self.unload_hooks: list[Hook] = []
        self._roots = roots
        self._symbols = symbols
        self._failed = failed
        self._drain_seconds = drain_seconds
        self._lived: WeakSet[Node] = WeakSet()
        self._loose: WeakSet[Entry] = WeakSet()
        self._ending: set[asyncio.Task[None]] = set()

    def has_lived(self, node: Node) -> bool:
        """Whether an instance was loaded at any time."""
        return node in self._lived

    # --- loading ------------------------------------------------------------------

    async def load(
        self, symbols: Iterable[Symbol], *, refused: Callable[[Symbol, Exception], None]
    ) -> dict[str, Symbol] | None:
        """Load these, in this order; None, with nothing loaded, when one of them fails.

        refused: told of the one that did, and why.
        """
        loaded: dict[str, Symbol] = {}
        around = ChainMap(loaded, self._symbols)
        for symbol in symbols:
            loaded[symbol.key] = symbol
            try:
                await self._load(symbol, around)
            except BaseException as error:
                await self.unload(list(reversed(loaded.values())))
                if not isinstance(error, Exception):
                    raise
                refused(symbol, error)
                return None
        return loaded

    async def _load(self, symbol: Symbol, around: Mapping[str, Symbol]) -> None:
        self._lived.add(symbol.node)
        await symbol.node.load()
        symbol.stage = Stage.LOADED
        for hook in self.load_hooks:
            await hook(symbol)
        symbol.stage = Stage.HOOKED
        await self._call(symbol, "init", around)
        symbol.stage = Stage.LIVE

    # --- unloading ----------------------------------------------------------------

    def look_after(self, entries: Iterable[Entry]) -> None:
        """No trigger leads to these (any more); while processes go this way, its nodes are in use."""
        self._loose.update(entries)

    async def unload(self, symbols: Sequence[Symbol]) -> None:
        """Unload these in this order: now, or, where a process still uses one, behind the caller."""
        if not symbols:
            return
        earlier = list(self._ending)
        ending = self._end(self._unload(symbols, earlier), "penstock:unload")
        if not earlier and not self._users(symbols):
            await asyncio.wait({ending})

    async def retire(
        self,
        stopped: Iterable[tuple[Symbol, TriggerContext | None]],
        *,
        left: Callable[[list[Entry]], None],
    ) -> None:
        """Unload triggers that were closed, behind the caller when what they started takes time.

        left: told of the entries of each when it starts nothing more.
        """
        ending = [
            self._end(self._retire(symbol, context, left), f"penstock:retire:{symbol.key}")
            for symbol, context in stopped
        ]
        if ending:
            await asyncio.wait(ending, timeout=PATIENCE_SECONDS)

    async def settled(self) -> None:
        """Return when everything that has gone is unloaded."""
        while self._ending:
            await asyncio.wait(list(self._ending))

    def _end(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """A task of the runtime's, so that it does not end with the change that began it."""
        task = self._roots.runtime.own(work, name)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    def _users(self, symbols: Iterable[Symbol]) -> list[Entry]:
        """The ways on which processes are that may come to one of these."""
        nodes = {symbol.node for symbol in symbols}
        return [each for each in self._loose if each.running and not nodes.isdisjoint(each.nodes)]

    async def _unload(self, symbols: Sequence[Symbol], earlier: Sequence[asyncio.Task[None]]) -> None:
        if earlier:  # triggers among them let go of more ways
            await asyncio.wait(earlier)
        try:
            async with asyncio.timeout(self._drain_seconds):
                for entry in self._users(symbols):
                    await entry.drained()
        except TimeoutError:
            pass  # they had their time, and fail at what they find closed
        around = ChainMap({symbol.key: symbol for symbol in symbols}, self._symbols)
        for symbol in symbols:
            await self._leave(symbol, around)

    async def _retire(
        self, symbol: Symbol, context: TriggerContext | None, left: Callable[[list[Entry]], None]
    ) -> None:
        if isinstance(symbol.node, Trigger) and symbol.stage is Stage.OPEN:
            await self._try(symbol, symbol.node.drained)
        if context is not None:
            left(context.detach())
            await context.end_tasks()
        await self._leave(symbol, ChainMap({symbol.key: symbol}, self._symbols))

    async def _leave(self, symbol: Symbol, around: Mapping[str, Symbol]) -> None:
        """The end of a symbol. Each step is tried, whatever becomes of those before."""
        if symbol.stage >= Stage.LIVE:
            await self._try(symbol, self._call, symbol, "term", around)
        if symbol.stage >= Stage.HOOKED:
            for hook in reversed(self.unload_hooks):
                await self._try(symbol, hook, symbol)
        if symbol.stage >= Stage.LOADED:
            await self._try(symbol, symbol.node.unload)
        for flow in symbol.draft.flows:
            await self._try(symbol, self._roots.runtime.revisions.retire, flow)

    async def _try(
        self, symbol: Symbol, step: Callable[..., Awaitable[object]], *arguments: object
    ) -> None:
        try:
            await step(*arguments)
        except Exception as error:
            self._failed(symbol.key, error)

    async def _call(self, symbol: Symbol, port: str, around: Mapping[str, Symbol]) -> None:
        """Run what hangs from `init` or `term` of a node, as a root process.

        Raises TimeoutError when it takes longer than processes have to end: all that is to change
        in the namespace waits for it.
        """
        links = [each for each in symbol.life if each.port == port and each.node in around]
        if links:
            about = {
                "name": symbol.key,
                "kind": symbol.spec.kind,
                "revision": symbol.draft.sheet.revision,
            }
            try:
                async with asyncio.timeout(self._drain_seconds):
                    await Ways(self._roots, around).along(symbol.key, port, links).answer(about)
            except TimeoutError as error:
                limit = f"{self._drain_seconds:g} s"
                raise TimeoutError(f"what hangs from `{port}` took more than {limit}") from error
