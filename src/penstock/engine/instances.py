"""The instances of a graph, which are loaded and unloaded together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.engine.kind import Node


class Instances:
    """The nodes of one graph, each behind everything its links lead to."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = tuple(nodes)
        self._loaded: list[Node] = []

    async def load(self) -> None:
        """Load them, dependencies first; all of them or none. Once is enough."""
        if self._loaded:
            return
        try:
            for node in self.nodes:
                await node.load()
                self._loaded.append(node)
        except BaseException:
            await self.unload()
            raise

    async def unload(self) -> None:
        """Unload what was loaded, in reverse; the first error is raised when all is unloaded."""
        errors: list[Exception] = []
        while self._loaded:
            try:
                await self._loaded.pop().unload()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
