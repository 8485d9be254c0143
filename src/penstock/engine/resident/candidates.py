"""Candidates: which revision of each spec is to be active.

The newest one is, unless something is wrong with it. Then the last that was active serves on, if
there was one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from penstock.engine.resident import reasons
from penstock.engine.resident.linking import Verdict, link

if TYPE_CHECKING:
    from penstock.engine.kind import Node
    from penstock.engine.resident.draft import Draft
    from penstock.engine.resident.symbol import Symbol


class Candidates:
    """The drafts of a namespace, and what is known of their merits.

    symbols: those that are active, by key. newest: the newest draft of every spec. renew: the
    same draft with an instance of its own. has_lived: whether an instance was loaded before.
    """

    def __init__(
        self,
        symbols: Mapping[str, Symbol],
        *,
        renew: Callable[[Draft], Draft],
        has_lived: Callable[[Node], bool],
    ) -> None:
        self.newest: dict[str, Draft] = {}
        self._symbols = symbols
        self._renew = renew
        self._has_lived = has_lived
        self._good: dict[str, Draft] = {}  # the last that was active
        self._refused: dict[str, tuple[str, str]] = {}  # digest and reason of what would not load
        self._linkless: dict[str, str] = {}  # why the newest cannot be linked
        self._down: set[str] = set()

    # --- choosing -----------------------------------------------------------------

    def offer(self, drafts: Mapping[str, Draft]) -> None:
        """Choose among these from now on, and what was active before of the same specs."""
        self.newest = dict(drafts)
        self._good = {key: draft for key, draft in self._good.items() if key in drafts}

    def choose(self) -> tuple[dict[str, Draft], dict[str, Verdict]]:
        """What to have, and the verdict on each that has a node."""
        chosen = {key: self._standing(key) for key in self.newest}
        while True:
            verdicts = link(chosen)
            broken = [
                key
                for key, verdict in verdicts.items()
                if verdict.problems and chosen[key] is self.newest[key] and self._has_other(key)
            ]
            if not broken:
                break
            for key in broken:
                chosen[key] = self._unused(key, self._good[key])
                self._linkless[key] = reasons.told(verdicts[key].problems)
        for key in self._down & verdicts.keys():
            verdicts[key] = Verdict(missing=(reasons.TAKEN_DOWN,))
        return chosen, verdicts

    def _standing(self, key: str) -> Draft:
        """The newest draft, or the last that worked where that one is broken."""
        draft = self.newest[key]
        self._linkless.pop(key, None)
        digest, _ = self._refused.get(key, ("", ""))
        if digest and digest != draft.digest:
            del self._refused[key]
        if draft.problems or key in self._refused:
            draft = self._good[key] if self._has_other(key) else draft.without_node()
        return self._unused(key, draft)

    def _has_other(self, key: str) -> bool:
        """Whether an earlier revision of this spec worked."""
        return key in self._good and self._good[key].node is not self.newest[key].node

    def _unused(self, key: str, draft: Draft) -> Draft:
        """The draft; with an instance of its own where that has come to its end, or is about to."""
        symbol = self._symbols.get(key)
        if (
            draft.node is None
            or not self._has_lived(draft.node)
            or (symbol is not None and symbol.node is draft.node)
        ):
            return draft
        fresh = self._renew(draft)
        for drafts in (self.newest, self._good):
            if key in drafts and drafts[key].node is draft.node:
                drafts[key] = fresh
        return fresh

    # --- learning -----------------------------------------------------------------

    def accept(self) -> None:
        """What is active now, works."""
        self._good |= {key: symbol.draft for key, symbol in self._symbols.items()}

    def refuse(self, symbol: Symbol, error: Exception) -> None:
        """Do not choose this draft again, until it changes or somebody asks for it."""
        if symbol.draft.node is self.newest[symbol.key].node:
            self._refused[symbol.key] = symbol.draft.digest, reasons.of_failure(error)
        else:
            self._good.pop(symbol.key, None)

    @property
    def refused(self) -> list[str]:
        """The nodes that would not load, and have no earlier revision at work."""
        return [key for key in self._refused if key not in self._symbols]

    def try_again(self) -> None:
        """Choose once more what would not load."""
        for key in self.refused:
            del self._refused[key]

    def take_down(self, key: str) -> None:
        """Have a node inactive from the next update on, whatever its spec says."""
        self._down.add(key)

    def put_up(self, key: str) -> None:
        """The opposite; one that would not load is tried again."""
        self._down.discard(key)
        self._refused.pop(key, None)

    # --- telling ------------------------------------------------------------------

    def wrong_with(self, key: str, verdict: Verdict | None) -> str:
        """What is wrong with the newest draft; the verdict may be that on an earlier one."""
        draft = self.newest[key]
        if not draft.problems:
            if key in self._refused:
                return self._refused[key][1]
            if key in self._linkless:
                return self._linkless[key]
        return reasons.wrong_with(draft, verdict)

    def secrets(self, drafts: Mapping[str, Draft]) -> set[str]:
        """What must not be shown of these drafts, nor of those that may serve on in their place."""
        return {
            secret
            for each in (drafts, self._good)
            for draft in each.values()
            for secret in draft.secrets
        }
