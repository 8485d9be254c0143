"""Ways: the plans behind the ports of a resident graph, as its symbols are linked now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.core.graph import preorder
from penstock.engine.plan import Called
from penstock.engine.resident.entry import Entry
from penstock.engine.site import Site

if TYPE_CHECKING:
    from penstock.core.spec import Link
    from penstock.engine.plan import Plan
    from penstock.engine.resident.roots import Roots
    from penstock.engine.resident.symbol import Symbol


class Ways:
    """Compiles plans over one state of the symbol table, each when it is asked for."""

    def __init__(self, roots: Roots, symbols: Mapping[str, Symbol]) -> None:
        self._roots = roots
        self._symbols = symbols
        self._edges = {key: [each.node for each in found.links] for key, found in symbols.items()}
        self._called = Called(
            {key: Site.of(key, each.node, each.spec, each.links) for key, each in symbols.items()}
        )

    def of(self, symbol: Symbol, before: Mapping[str, Entry]) -> dict[str, Entry]:
        """The entries of a trigger's out-ports, but for `error`; those from before that still hold."""
        way = self._way(symbol)
        ports = dict.fromkeys(each.port for each in symbol.links if each.port != "error")
        if set(ports) == set(before) and all(entry.way == way for entry in before.values()):
            return dict(before)
        error = self._plan([each for each in symbol.links if each.port == "error"])
        return {
            port: Entry(
                self._roots, symbol.key, port, plan, error=error, limit=symbol.spec.timeout, way=way
            )
            for port in ports
            if (plan := self._plan([each for each in symbol.links if each.port == port])) is not None
        }

    def _way(self, symbol: Symbol) -> tuple[object, ...]:
        """Everything that decides what hangs from a node: equal where nothing of it changed."""
        reached = (self._symbols[key] for key in preorder(self._edges, [symbol.key]))
        return tuple((found.node, found.links) for found in reached)

    def along(self, key: str, port: str, links: Sequence[Link]) -> Entry:
        """The entry of some links that leave a node."""
        plan = self._plan(links)
        assert plan is not None, "there is no way along no links"
        return Entry(self._roots, key, port, plan)

    def into(self, symbol: Symbol, port: str) -> Entry:
        """The entry of an in-port, as if something were linked to it. Raises KeyError."""
        inputs = symbol.node.ports()[0]
        if port not in inputs:
            raise KeyError(port)
        return Entry(self._roots, symbol.key, port, self._called.plan([(symbol.key, port)]))

    def _plan(self, links: Sequence[Link]) -> Plan | None:
        return self._called.plan([(each.node, each.to) for each in links]) if links else None
