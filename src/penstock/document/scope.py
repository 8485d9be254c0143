"""A scope: the nodes that can name each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.problems import suggest
from penstock.document.findings import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.core.problems import Path
    from penstock.core.spec import Link, NodeSpec
    from penstock.document.findings import Findings


class Scope:
    """Names and ids of some nodes, each with the one that it stands for.

    closed: there are no other nodes that a link could mean.
    """

    def __init__(self, nodes: Iterable[NodeSpec], findings: Findings, *, closed: bool) -> None:
        self.findings = findings
        self.closed = closed
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

    def settle(self, nodes: Sequence[NodeSpec]) -> tuple[NodeSpec, ...]:
        """The nodes with links that name the key of their target, where there is one."""
        return tuple(
            msgspec.structs.replace(node, links=tuple(self._settle(link) for link in node.links))
            for node in nodes
        )

    def _settle(self, link: Link) -> Link:
        if link.node in self.names:
            return link
        key = self.find(link.node, link.at)
        return link if key in (None, link.node) else msgspec.structs.replace(link, node=key)

    def find(self, name: str, at: Path) -> str | None:
        """The key of the node with this name or id; reports that a closed scope has none."""
        key = self.keys.get(name)
        if key is None and self.closed:
            hint = suggest(name, self.keys)
            self.findings.report(f"no node is named {quote(name)}", at, hint=hint)
        elif key is None:
            self.findings.doubt(at)
        return key


def with_keys(nodes: Sequence[NodeSpec]) -> list[NodeSpec]:
    """The nodes, each with a key: one without name and id is `node-3` if it is the third."""
    taken = {word for node in nodes for word in (node.name, node.id)}
    keyed: list[NodeSpec] = []
    for number, node in enumerate(nodes, start=1):
        name = f"node-{number}"
        while name in taken:
            name += "-"
        keyed.append(node if node.key else msgspec.structs.replace(node, name=name))
    return keyed


def all_known(nodes: Any, at: Path, findings: Findings) -> bool:
    """Whether `nodes` is a list of nodes whose names and ids, if any, can be read."""
    return (
        bool(nodes)
        and isinstance(nodes, list)
        and all(
            isinstance(node, dict)
            and isinstance(node.get(field), str | None)
            and not findings.doubted((*at, index, field))
            for index, node in enumerate(nodes)
            for field in ("name", "id")
        )
    )


def _claim(taken: dict[str, Path], name: str, at: Path, what: str, findings: Findings) -> None:
    if name in taken:
        findings.report(f"another {what} {quote(name)}", at, hint="give one of them another name")
    taken.setdefault(name, at)
