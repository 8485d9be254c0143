"""The symbol table: the live nodes of a namespace, and how they come and go.

A change is carried out in this order: triggers that go, or are replaced, start nothing more;
what is new is loaded, dependencies first and triggers last; then, in one turn of the loop,
every trigger takes its new way; new triggers open; and what has gone or was replaced is
unloaded, dependents first, when the last process that uses it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from penstock.core.graph import dependencies_first
from penstock.engine.kind import Trigger
from penstock.engine.resident import reasons
from penstock.engine.resident.candidates import Candidates
from penstock.engine.resident.entry import Entry
from penstock.engine.resident.lifecycle import Lifecycle
from penstock.engine.resident.linking import Verdict, active
from penstock.engine.resident.symbol import Report, Stage, Status, Symbol
from penstock.engine.resident.ways import Ways

if TYPE_CHECKING:
    from penstock.engine.resident.draft import Draft
    from penstock.engine.resident.roots import Roots
    from penstock.engine.resident.trigger import TriggerContext

DRAIN_SECONDS: Final = 30.0
"""How long processes may go on with a node that was replaced or is to go."""


class SymbolTable:
    """The symbols of one namespace. Its owner sees to it that one change follows another.

    symbols: those that are active, by key. candidates: what could be. reports: what became of
    every spec. load_hooks and unload_hooks: called with each symbol behind its `load` and
    before its `unload`. renew: the same draft with an instance of its own. attach: makes the
    context of a trigger. gone: told of entries that lead nowhere any more. failed: called with
    what could not be done for a symbol that goes on all the same.
    """

    def __init__(
        self,
        roots: Roots,
        *,
        renew: Callable[[Draft], Draft],
        attach: Callable[[Symbol], TriggerContext],
        gone: Callable[[Entry], None],
        failed: Callable[[str, BaseException], None],
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.roots = roots
        self.symbols: dict[str, Symbol] = {}
        self.reports: dict[str, Report] = {}
        self._attach = attach
        self._gone = gone
        self._failed = failed
        self._lifecycle = Lifecycle(roots, self.symbols, failed=failed, drain_seconds=drain_seconds)
        self.load_hooks = self._lifecycle.load_hooks
        self.unload_hooks = self._lifecycle.unload_hooks
        self.candidates = Candidates(self.symbols, renew=renew, has_lived=self._lifecycle.has_lived)
        self._contexts: dict[str, TriggerContext] = {}
        self._ways = Ways(roots, {})

    # --- changing -----------------------------------------------------------------

    async def update(self, drafts: Mapping[str, Draft]) -> None:
        """Make the table what these drafts say, as far as they can be loaded."""
        self.candidates.offer(drafts)
        before = set(self.symbols.values())
        await self._settle()
        if self.candidates.refused and not before.issubset(self.symbols.values()):
            self.candidates.try_again()  # what has gone may have been in the way: it had the port, say
            await self._settle()

    async def _settle(self) -> None:
        while not await self._change():
            pass

    async def close(self) -> None:
        """Close and unload everything, dependents first."""
        order = self._dependents_first()
        await self._stop(key for key in order if isinstance(self.symbols[key].node, Trigger))
        await self._lifecycle.unload([self.symbols.pop(key) for key in order if key in self.symbols])
        await self.settled()
        self.reports = {}

    async def settled(self) -> None:
        """Return when everything that has gone is unloaded."""
        await self._lifecycle.settled()

    async def _change(self) -> bool:
        """One attempt; False when something would not load, so that less must be tried."""
        chosen, verdicts = self.candidates.choose()
        wanted = active(verdicts)
        kept = {
            key
            for key, symbol in self.symbols.items()
            if key in wanted and symbol.draft.node is chosen[key].node
        }
        leaving = [key for key in self._dependents_first() if key not in kept]
        # A trigger's socket must be free for its successor, so it goes before anything comes.
        await self._stop(key for key in leaving if isinstance(self.symbols[key].node, Trigger))
        coming = [key for key in _load_order(verdicts, wanted, chosen) if key not in kept]
        fresh = await self._lifecycle.load(
            [Symbol(chosen[key], verdicts[key]) for key in coming], refused=self._refuse
        )
        if fresh is None:
            return False
        gone = [self.symbols.pop(key) for key in leaving if key in self.symbols]
        for key in kept:
            self.symbols[key].relink(chosen[key], verdicts[key])
        self.symbols |= fresh
        self._relink()
        try:
            opened = [await self._open(symbol) for symbol in fresh.values()]
        finally:
            await self._lifecycle.unload(gone)
        self.candidates.accept()
        self._report(chosen, verdicts, wanted)
        return all(opened)

    async def _open(self, symbol: Symbol) -> bool:
        if not isinstance(symbol.node, Trigger):
            return True
        symbol.stage = Stage.OPEN
        try:
            await symbol.node.open(self._contexts[symbol.key])
        except Exception as error:
            self._refuse(symbol, error)
            await self._stop([symbol.key])
            return False
        return True

    def _refuse(self, symbol: Symbol, error: Exception) -> None:
        self._failed(symbol.key, error)
        self.candidates.refuse(symbol, error)

    async def _stop(self, keys: Iterable[str]) -> None:
        """Let triggers start nothing more; they go when what they started is over."""
        stopped = []
        for key in list(keys):
            symbol, context = self.symbols[key], self._contexts.get(key)
            assert isinstance(symbol.node, Trigger)
            if context is not None:
                context.closing = True
            try:
                if symbol.stage is Stage.OPEN:
                    await symbol.node.close()
            except Exception as error:
                self._failed(key, error)
            del self.symbols[key]
            self._contexts.pop(key, None)
            stopped.append((symbol, context))
        await self._lifecycle.retire(stopped, left=self._left)

    # --- linking ------------------------------------------------------------------

    def _relink(self) -> None:
        """Give every trigger the way that its links lead now. Nothing waits in here."""
        self._ways = Ways(self.roots, self.symbols)
        for key, symbol in self.symbols.items():
            if isinstance(symbol.node, Trigger):
                if key not in self._contexts:
                    self._contexts[key] = self._attach(symbol)
                self._left(self._contexts[key].take(symbol, self._ways))

    def _left(self, entries: list[Entry]) -> None:
        """These entries lead nowhere any more; processes may still be on their way."""
        self._lifecycle.look_after(entries)
        for entry in entries:
            self._gone(entry)

    def entry(self, key: str, port: str = "in") -> Entry:
        """A way into the graph at an in-port of an active node. Raises KeyError."""
        entry = self._ways.into(self.symbols[key], port)
        self._lifecycle.look_after([entry])
        return entry

    def _dependents_first(self) -> list[str]:
        edges = {key: list(symbol.needs) for key, symbol in self.symbols.items()}
        order = [key for key in dependencies_first(edges, list(edges)) if key in edges]
        return _triggers_last(order, lambda key: self.symbols[key].node)[::-1]

    # --- reporting ----------------------------------------------------------------

    def _report(
        self, chosen: Mapping[str, Draft], verdicts: Mapping[str, Verdict], wanted: set[str]
    ) -> None:
        self.reports = {
            key: self._report_on(draft, chosen[key], verdicts.get(key), wanted)
            for key, draft in self.candidates.newest.items()
        }

    def _report_on(
        self, draft: Draft, chosen: Draft, verdict: Verdict | None, wanted: set[str]
    ) -> Report:
        key, sheet = draft.key, draft.sheet
        serving = chosen.sheet.revision if key in self.symbols else 0
        status, reason = Status.ACTIVE, ""
        wrong = self.candidates.wrong_with(key, verdict)
        if wrong:
            status = Status.BROKEN
            reason = f"{wrong} (revision {serving} serves on)" if serving else wrong
        elif key not in self.symbols:
            status, reason = Status.WAITING, reasons.lacks(draft, verdict, wanted)
        redactor = self.roots.flow.redactor  # a failure to load may quote what it was given
        return Report(
            key=key,
            id=sheet.id,
            kind=sheet.kind,
            revision=sheet.revision,
            serving=serving,
            status=status,
            reason=reason if redactor is None else redactor.text(reason),
        )


def _load_order(
    verdicts: Mapping[str, Verdict], wanted: set[str], chosen: Mapping[str, Draft]
) -> list[str]:
    edges = {key: list(verdicts[key].needs) for key in wanted}
    names = [key for key in chosen if key in wanted]
    return _triggers_last(dependencies_first(edges, names), lambda key: chosen[key].node)


def _triggers_last(order: list[str], node: Callable[[str], object]) -> list[str]:
    return sorted(order, key=lambda key: isinstance(node(key), Trigger))
