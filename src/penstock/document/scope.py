"""A scope: the nodes that can name each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from penstock.core.problems import suggest
from penstock.document.findings import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.core.problems import Path
    from penstock.core.spec import Link, NodeSpec
    from penstock.document.findings import Findings


class Scope:
    """Names and ids of some nodes, each with the one that it stands for."""

    def __init__(self, nodes: Iterable[NodeSpec], findings: Findings) -> None:
        self.findings = findings
        self.keys: dict[str, str] = {}
        self.names: dict[str, Path] = {}
        ids: dict[str, Path] = {}
        for node in nodes:
            if node.name:
                _claim(self.names, node.name, (*node.at, "name"), "node is named", findings)
            if node.id:
                _claim(ids, node.id, (*node.at, "id"), "node has the id", findings)
                self.keys.setdefault(node.id, node.key)
        # A name goes before the id of another node.
        self.keys.update((name, name) for name in self.names)

    def settle(self, nodes: Sequence[NodeSpec], *, closed: bool) -> tuple[NodeSpec, ...]:
        """The nodes with links that all name the key of their target.

        closed: a link may go nowhere else. Otherwise its target may exist elsewhere.
        """
        return tuple(
            msgspec.structs.replace(
                node, links=tuple(self._settle(link, closed=closed) for link in node.links)
            )
            for node in nodes
        )

    def _settle(self, link: Link, *, closed: bool) -> Link:
        if link.node in self.names:
            return link
        key = self.find(link.node, link.at) if closed else self.keys.get(link.node)
        return link if key in (None, link.node) else msgspec.structs.replace(link, node=key)

    def find(self, name: str, at: Path) -> str | None:
        """The key of the node with this name or id; reports that there is none."""
        key = self.keys.get(name)
        if key is None:
            hint = suggest(name, self.keys)
            self.findings.report(f"no node is named {quote(name)}", at, hint=hint)
        return key


def _claim(taken: dict[str, Path], name: str, at: Path, what: str, findings: Findings) -> None:
    if name in taken:
        findings.report(f"another {what} {quote(name)}", at, hint="give one of them another name")
    taken.setdefault(name, at)
