"""Which events of a run a client wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.core.events import Event


class Filter:
    """Tells events by type and node.

    types: event types; one with a dot at its end means all that begin with it, such as `node.`.
    nodes: paths of firings (`each[3]/parse`), or names of nodes (`parse`), in whatever process.
    Of several any is enough, and none at all lets everything through.
    """

    __slots__ = ("_nodes", "_prefixes", "_types", "lets_all")

    def __init__(self, types: Iterable[str] = (), nodes: Iterable[str] = ()) -> None:
        types = frozenset(types)
        self._types = frozenset(name for name in types if not name.endswith("."))
        self._prefixes = tuple(types - self._types)
        self._nodes = frozenset(nodes)
        self.lets_all = not types and not self._nodes

    def lets(self, event: Event) -> bool:
        """Whether the client wants it."""
        return self._is_of_type(event.type) and self._is_of_node(event.node)

    def select(self, events: list[Event]) -> list[Event]:
        """Those that the client wants."""
        return events if self.lets_all else [event for event in events if self.lets(event)]

    def _is_of_type(self, name: str) -> bool:
        if not self._types and not self._prefixes:
            return True
        return name in self._types or name.startswith(self._prefixes)

    def _is_of_node(self, path: str) -> bool:
        if not self._nodes or path in self._nodes:
            return True
        return path.rpartition("/")[2].partition("#")[0] in self._nodes
